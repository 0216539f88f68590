"""Finding people and their sessions."""

from collections.abc import Sequence

from sqlalchemy import exists, select

from app.accounts.models import Person, SignIn
from app.accounts.rules import Role
from app.core import ids, text
from app.db.session import Session

STAFF = tuple(role for role in Role if role.staff)
MANAGERS = (Role.MANAGER, Role.ADMIN)


def by_email(s: Session, email: str) -> Person | None:
    """The person with this address, disabled ones too."""
    return s.scalar(select(Person).where(Person.email == text.address(email)))


def staff(s: Session) -> Sequence[Person]:
    """Everybody a ticket can be assigned to."""
    return s.scalars(select(Person).where(Person.role.in_(STAFF), Person.disabled_at.is_(None)).order_by(Person.name)).all()


def managers(s: Session) -> Sequence[Person]:
    """Whom to tell when a deadline is missed: the managers, or the administrators where there is no manager."""
    found = s.scalars(select(Person).where(Person.role.in_(MANAGERS), Person.disabled_at.is_(None)).order_by(Person.id)).all()
    return [p for p in found if p.role is Role.MANAGER] or found


def has_administrator(s: Session) -> bool:
    """Whether the desk was ever set up."""
    return bool(s.scalar(select(exists().where(Person.role == Role.ADMIN))))


def by_token(s: Session, token: str) -> SignIn | None:
    """The session that this token opens, ended and expired ones too."""
    return s.scalar(select(SignIn).where(SignIn.token_hash == ids.fingerprint(token)))


def by_refresh_token(s: Session, token: str) -> SignIn | None:
    return s.scalar(select(SignIn).where(SignIn.refresh_hash == ids.fingerprint(token)).with_for_update(of=SignIn))
