"""Adding people, and changing and disabling them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ScalarSelect, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.accounts import passwords, public_mail, queries, rules, sessions
from app.accounts.models import Link, Membership, Organization, OrganizationDomain, Passkey, Person, SetupLink
from app.accounts.rules import LinkPurpose, Role
from app.audit import actions as audit
from app.audit.models import Event
from app.core import ids, parse, text
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.db import locks
from app.db.session import Session

ADMINISTRATORS = "administrators"  # held by whatever makes or unmakes one


class LastAdministrator(Conflict):
    """Without this administrator nobody could run the desk. Make somebody else an administrator first."""

    slug = "last-administrator"


class AddressTaken(Conflict):
    """Somebody has this address already."""

    slug = "address-taken"


def add(
    s: Session,
    *,
    email: str,
    name: str,
    role: Role,
    now: datetime,
    password: str | None = None,
    organization_id: int | None = None,
    by: Person | None = None,
) -> Person:
    """A new person. Raises AddressTaken, and Invalid where the address or the password won't do."""
    _require(by, role)
    if not text.is_address(email):
        raise Invalid(f"{email!r} is not an e-mail address. Write it like name@example.com.")
    if password is not None and (problem := rules.password_problem(password)):
        raise Invalid(problem)
    email = text.address(email)
    made = s.scalar(
        insert(Person)
        .values(
            email=email,
            name=text.one_line(name, most=200) or email.partition("@")[0],
            role=role,
            organization_id=_organization(s, organization_id),
            password_hash=passwords.hashed(password) if password else None,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Person.email])
        .returning(Person.id)
    )
    if made is None:
        raise AddressTaken(f"There is somebody with the address {email} already.")
    person = s.get_one(Person, made)
    audit.record(s, Event.PERSON_ADDED, now=now, by=_signature(by), person=person.email, role=role.value)
    return person


def known_sender(s: Session, *, email: str, name: str, now: datetime, joins: bool = True) -> Person:
    """Whoever writes from this address; somebody new becomes a customer who can't sign in until they set a password.

    If the address is at a domain of an organization, they join it; not if somebody else only named the address (`joins`).
    """
    email = text.address(email)
    if known := queries.sender(s, email):
        return known
    values = {"email": email, "name": text.one_line(name, most=200) or email.partition("@")[0], "role": Role.CUSTOMER}
    made = s.scalar(
        insert(Person)
        .values(**values, organization_id=_by_domain(email) if joins else None, created_at=now)
        .on_conflict_do_nothing(index_elements=[Person.email])
        .returning(Person.id)
    )
    person = queries.by_email(s, email)
    assert person is not None
    if made is not None:
        told: dict[str, Any] = {"person": email, "role": Role.CUSTOMER.value, "organization": person.organization_id}
        audit.record(s, Event.PERSON_ADDED, now=now, by_mail=True, **told)
    return person


def organization_of(s: Session, email: str) -> int | None:
    """The organization whose domain this address is at, if there is one."""
    found = _by_domain(text.address(email))
    return None if found is None else s.scalar(select(found))


def rename(s: Session, person: Person, name: str, *, by: Person | None, now: datetime) -> None:
    """Call somebody by another name."""
    _require(by, person.role)
    name = text.one_line(name, most=200)
    if not name:
        raise Invalid("A name has at least one letter.")
    _changed(s, person, by, now, name={"before": person.name, "after": name})
    person.name = name


def move(s: Session, person: Person, organization_id: int | None, *, by: Person | None, now: datetime) -> None:
    """Put somebody into an organization, or into none. The tickets they have stay where they are."""
    _require(by, person.role)
    after = _organization(s, organization_id)
    _changed(s, person, by, now, organization={"before": person.organization_id, "after": after})
    person.organization_id = after


def set_zone(s: Session, person: Person, zone: str | None, *, by: Person | None, now: datetime) -> None:
    """Tell somebody times in this zone, or with none in the desk's; everybody chooses their own. Raises Invalid."""
    if by is None or by.id != person.id:
        _require(by, person.role)
    try:
        after = parse.zone(zone) if zone else None
    except ValueError as wrong:
        hint = "" if str(wrong).endswith("?") else ". Write one like Europe/Berlin."
        raise Invalid(f"{wrong}{hint}") from None
    if after != person.zone:
        _changed(s, person, by, now, zone={"before": person.zone, "after": after})
        person.zone = after


def set_role(s: Session, person: Person, role: Role, *, by: Person | None, now: datetime) -> None:
    """Give somebody another role; nobody gives one that they couldn't take away again.

    It ends their sessions, and where the new one may less, their API tokens too. Whoever is staff no more leaves their teams.
    """
    _require(by, person.role)
    _require(by, role)
    if role is person.role:
        return
    if person.role is Role.ADMIN:
        _keep_an_administrator(s, person)
    if not role.staff:
        s.execute(delete(Membership).where(Membership.person_id == person.id))
    _changed(s, person, by, now, role={"before": person.role.value, "after": role.value})
    sessions.end_all(s, person.id, now=now, tokens=role.rank < person.role.rank)
    person.role = role


def set_email(s: Session, person: Person, email: str, *, by: Person | None, now: datetime) -> None:
    """Somebody has another address. What was mailed to the old one leads nowhere any more. Raises AddressTaken, Invalid."""
    if by is not person:
        _require(by, person.role)
    if not text.is_address(email):
        raise Invalid(f"{email!r} is not an e-mail address. Write it like name@example.com.")
    before, person.email = person.email, text.address(email)
    person.revision += 1
    try:
        s.flush()
    except IntegrityError:
        raise AddressTaken(f"There is somebody with the address {text.address(email)} already.") from None
    end_links(s, person.id, now=now)
    audit.record(s, Event.EMAIL_CHANGED, now=now, by=_signature(by), person=person.email, before=before)


def set_password(s: Session, person: Person, password: str, *, by: Person | None, now: datetime) -> None:
    """A new password ends every session of its owner, and every link that was mailed to them."""
    if problem := rules.password_problem(password):
        raise Invalid(problem)
    person.password_hash = passwords.hashed(password)
    sessions.end_all(s, person.id, now=now)
    end_links(s, person.id, now=now)
    audit.record(s, Event.PASSWORD_CHANGED, now=now, by=_signature(by), person=person.email)


def disable(s: Session, person: Person, *, by: Person | None, now: datetime) -> None:
    """Nobody signs in as this person any more, and whoever is, is out at once: sessions, API tokens and mailed links."""
    _require(by, person.role)
    if by is not None and by.id == person.id:
        raise Conflict("You can't disable yourself. Another administrator can.")
    if person.disabled_at is not None:
        return
    if person.role is Role.ADMIN:
        _keep_an_administrator(s, person)
    person.disabled_at = now
    person.revision += 1
    sessions.end_all(s, person.id, now=now, tokens=True)
    end_links(s, person.id, now=now)
    audit.record(s, Event.PERSON_DISABLED, now=now, by=_signature(by), person=person.email)


def enable(s: Session, person: Person, *, by: Person | None, now: datetime) -> None:
    """Let a disabled person sign in again, with the password they had. What ended stays ended."""
    _require(by, person.role)
    if person.disabled_at is None:
        return
    person.disabled_at = None
    person.revision += 1
    audit.record(s, Event.PERSON_ENABLED, now=now, by=_signature(by), person=person.email)


def end_links(s: Session, person_id: int, *, now: datetime, purpose: LinkPurpose | None = None) -> None:
    """What was mailed to this person leads nowhere any more, not even for who began to use it a moment before `now`."""
    open_ = update(Link).where(Link.person_id == person_id, Link.used_at.is_(None), Link.expires_at > now)
    s.execute((open_ if purpose is None else open_.where(Link.purpose == purpose)).values(expires_at=Link.created_at))


def make_setup_link(s: Session, *, now: datetime) -> str:
    """The token of a new one-time setup link; older ones end. Raises Conflict once there is an administrator."""
    locks.take_in_transaction(s, ADMINISTRATORS)
    if queries.has_administrator(s):
        raise Conflict("The desk has an administrator already; no setup link is needed.")
    s.execute(update(SetupLink).where(SetupLink.used_at.is_(None)).values(expires_at=now))
    token = ids.token()
    s.add(SetupLink(token_hash=ids.fingerprint(token), expires_at=now + rules.SETUP_LIFE))
    return token


def setup_link_is_good(s: Session, token: str, *, now: datetime) -> bool:
    """Whether this link can still be used."""
    return _setup_link(s, token, now) is not None


def set_up(s: Session, token: str, *, email: str, name: str, password: str, now: datetime) -> Person:
    """Make the first administrator with a setup link, which is spent. Raises NotFound for any link that isn't good."""
    locks.take_in_transaction(s, ADMINISTRATORS)
    link = _setup_link(s, token, now)
    if link is None:
        raise NotFound("This setup link is used or too old. Make another with: atum setup-link")
    link.used_at = now
    person = add(s, email=email, name=name, role=Role.ADMIN, password=password, now=now)
    audit.record(s, Event.DESK_SET_UP, now=now, by=person.signature)
    return person


def _setup_link(s: Session, token: str, now: datetime) -> SetupLink | None:
    found = s.query(SetupLink).filter_by(token_hash=ids.fingerprint(token)).with_for_update().one_or_none()
    good = found is not None and found.used_at is None and found.expires_at > now and not queries.has_administrator(s)
    return found if good else None


def _require(by: Person | None, role: Role) -> None:
    if by is not None and not rules.may_manage(by, role):
        raise Forbidden(f"Your role ({by.role}) may not manage people whose role is {role}.")


def _keep_an_administrator(s: Session, but: Person) -> None:
    """Raises LastAdministrator. Two administrators who remove each other at once come one after the other."""
    locks.take_in_transaction(s, ADMINISTRATORS)
    signs_in = or_(Person.password_hash.is_not(None), exists().where(Passkey.person_id == Person.id))
    others = select(func.count()).where(Person.role == Role.ADMIN, Person.disabled_at.is_(None), Person.id != but.id, signs_in)
    if not s.scalar(others):
        raise LastAdministrator


def _by_domain(email: str) -> ScalarSelect[int] | None:
    domain = email.rpartition("@")[2]
    if public_mail.is_public(domain):
        return None
    return select(OrganizationDomain.organization_id).where(OrganizationDomain.domain == domain).scalar_subquery()


def _organization(s: Session, id: int | None) -> int | None:
    """This organization, held until the transaction ends so that nobody deletes it. Raises Invalid."""
    held = select(Organization.id).where(Organization.id == id).with_for_update(read=True, key_share=True)
    if id is not None and s.scalar(held) is None:
        raise Invalid(f"There is no organization {id}.")
    return id


def _changed(s: Session, person: Person, by: Person | None, now: datetime, **changes: dict[str, object]) -> None:
    person.revision += 1
    audit.record(s, Event.PERSON_CHANGED, now=now, by=_signature(by), person=person.email, changes=changes)


def _signature(by: Person | None) -> tuple[int, str] | None:
    return by.signature if by else None
