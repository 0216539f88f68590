"""Finding people and their sessions."""

from collections.abc import Sequence

from sqlalchemy import Connection, exists, func, select

from app.accounts.models import Organization, Person, SignIn, Team
from app.accounts.rules import Actor, Role
from app.core import ids, text
from app.db import plain
from app.db.session import Session

STAFF = tuple(role for role in Role if role.staff)
MANAGERS = (Role.MANAGER, Role.ADMIN)


def by_email(s: Session, email: str) -> Person | None:
    """The person with this address, disabled ones too."""
    return s.scalar(select(Person).where(Person.email == text.address(email)))


_SENDER = """
SELECT p.id, p.email, p.name, p.role, p.organization_id, p.created_at, p.disabled_at, p.revision, p.zone, o.name
FROM person p LEFT JOIN organization o ON o.id = p.organization_id WHERE p.email = %(email)s
"""


def sender(s: Session, email: str) -> Person | None:
    """The same, by one light query: for every mail and every new ticket."""
    found = plain.rows(s.connection(), _SENDER, {"email": text.address(email)})
    if not found:
        return None
    id, email, name, role, organization_id, created_at, disabled_at, revision, zone, called = found[0]
    return plain.known(
        s,
        Person,
        id=id,
        email=email,
        name=name,
        role=Role(role),
        organization_id=organization_id,
        organization=plain.known(s, Organization, id=organization_id, name=called) if organization_id else None,
        created_at=created_at,
        disabled_at=disabled_at,
        revision=revision,
        zone=zone,
    )


def by_id(s: Session, id: int) -> Person | None:
    """The person with this number, held until the transaction ends: they are going to be changed."""
    held = select(Person).where(Person.id == id).with_for_update(of=Person, key_share=True)
    return s.scalar(held.execution_options(populate_existing=True))


def staff(s: Session) -> Sequence[Person]:
    """Everybody a ticket can be assigned to."""
    return s.scalars(select(Person).where(Person.role.in_(STAFF), Person.disabled_at.is_(None)).order_by(Person.name)).all()


def managers(s: Session) -> Sequence[Person]:
    """Whom to tell when a deadline is missed: the managers, or the administrators where there is no manager."""
    found = s.scalars(select(Person).where(Person.role.in_(MANAGERS), Person.disabled_at.is_(None)).order_by(Person.id)).all()
    return [p for p in found if p.role is Role.MANAGER] or found


def administrators(s: Session) -> Sequence[Person]:
    """Whom to tell when the desk itself needs somebody."""
    return s.scalars(select(Person).where(Person.role == Role.ADMIN, Person.disabled_at.is_(None)).order_by(Person.id)).all()


def organization_of(c: Connection, actor: Actor) -> str | None:
    """The name of the organization that somebody answers for, if they do."""
    if actor.role is not Role.CUSTOMER_ADMIN or actor.organization_id is None:
        return None
    return c.scalar(select(Organization.name).where(Organization.id == actor.organization_id))


def has_administrator(s: Session) -> bool:
    """Whether the desk was ever set up."""
    return bool(s.scalar(select(exists().where(Person.role == Role.ADMIN))))


def by_token(s: Session, token: str) -> SignIn | None:
    """The session that this token opens, ended and expired ones too."""
    return s.scalar(select(SignIn).where(SignIn.token_hash == ids.fingerprint(token)))


def by_refresh_token(s: Session, token: str) -> SignIn | None:
    return s.scalar(select(SignIn).where(SignIn.refresh_hash == ids.fingerprint(token)).with_for_update(of=SignIn))


def team_named(s: Session, name: str) -> Team | None:
    """The team of this name, however it is spelled in capitals."""
    return s.scalar(select(Team).where(func.lower(Team.name) == name.strip().lower()))
