"""Organizations and their mail domains."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.accounts import public_mail
from app.accounts.models import Organization, OrganizationDomain, Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import Session


class NameTaken(Conflict):
    """There is one of this name already. Choose another name."""

    slug = "name-taken"


class InUse(Conflict):
    """People or tickets belong to it, so it can't be deleted."""

    slug = "in-use"


class DomainTaken(Conflict):
    """This mail domain belongs to another organization."""

    slug = "domain-taken"


def held(s: Session, id: int) -> Organization:
    """An organization that is going to be changed, held until the transaction ends. Raises NotFound."""
    query = select(Organization).where(Organization.id == id).with_for_update(key_share=True)
    found = s.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound(f"There is no organization {id} here.")
    return found


def add(s: Session, *, name: str, by: Person, now: datetime, notes: str = "") -> Organization:
    """A new organization. Raises NameTaken."""
    made = Organization(name=_name(name), notes=text.printable(notes), created_at=now)
    s.add(made)
    _flush(s)
    _record(s, made, "added", by, now)
    return made


def change(
    s: Session, organization: Organization, *, by: Person, now: datetime, name: str | None = None, notes: str | None = None
) -> None:
    """Another name, or other notes. Raises NameTaken."""
    if name is not None:
        organization.name = _name(name)
    if notes is not None:
        organization.notes = text.printable(notes)
    organization.revision += 1
    _flush(s)
    _record(s, organization, "changed", by, now)


def remove(s: Session, organization: Organization, *, by: Person, now: datetime) -> None:
    """Delete an organization that nobody belongs to, with its domains. Raises InUse."""
    _record(s, organization, "deleted", by, now)
    try:
        s.execute(delete(Organization).where(Organization.id == organization.id))
    except IntegrityError:
        raise InUse("People or tickets belong to this organization. Move its people elsewhere first.") from None


def put_domain(s: Session, organization: Organization, domain: str, *, by: Person, now: datetime) -> str:
    """New senders at this domain join the organization from now on; answers it as it is stored. Raises Invalid, DomainTaken."""
    domain = text.mail_domain(domain)
    if problem := public_mail.problem(domain):
        raise Invalid(problem)
    row = insert(OrganizationDomain).values(domain=domain, organization_id=organization.id, added_at=now)
    if s.scalar(row.on_conflict_do_nothing().returning(OrganizationDomain.domain)) is None:
        owner = s.scalar(select(OrganizationDomain.organization_id).where(OrganizationDomain.domain == domain))
        if owner != organization.id:
            raise DomainTaken(f"{domain} belongs to another organization. Take it away there first.")
        return domain
    organization.revision += 1
    _record(s, organization, "domain_added", by, now, domain=domain)
    return domain


def drop_domain(s: Session, organization: Organization, domain: str, *, by: Person, now: datetime) -> None:
    """New senders at this domain no longer join; those who did stay. Raises NotFound."""
    domain = text.mail_domain(domain)
    mine = (OrganizationDomain.domain == domain, OrganizationDomain.organization_id == organization.id)
    if s.scalar(delete(OrganizationDomain).where(*mine).returning(OrganizationDomain.domain)) is None:
        raise NotFound(f"{domain} is no domain of this organization.")
    organization.revision += 1
    _record(s, organization, "domain_removed", by, now, domain=domain)


def _name(raw: str) -> str:
    name = text.one_line(raw, most=200)
    if not name:
        raise Invalid("A name has at least one letter.")
    return name


def _flush(s: Session) -> None:
    try:
        s.flush()
    except IntegrityError:
        raise NameTaken("There is an organization of this name already. Choose another name.") from None


def _record(s: Session, organization: Organization, what: str, by: Person, now: datetime, **more: Any) -> None:
    told = {"organization": organization.id, "name": organization.name, "what": what, **more}
    audit.record(s, Event.ORGANIZATION_CHANGED, now=now, by=by.signature, **told)
