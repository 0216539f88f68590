"""What the desk asks of everybody in a role."""

from datetime import datetime

from sqlalchemy import exists, not_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts.models import Passkey, Person, RolePolicy, SignIn, Totp
from app.accounts.rules import Role
from app.audit import actions as audit
from app.audit.models import Event
from app.db import locks
from app.db.session import Session

HAS_FACTOR = exists().where(Totp.person_id == Person.id, Totp.confirmed_at.is_not(None)).correlate_except(Totp) | exists().where(
    Passkey.person_id == Person.id
).correlate_except(Passkey)


def listed(s: Session) -> dict[Role, bool]:
    """For every role whether a second factor is required."""
    required = {policy.role: policy.second_factor_required for policy in s.scalars(select(RolePolicy))}
    return {role: required.get(role, False) for role in Role}


def requires_factor(s: Session, role: Role) -> bool:
    """Whether everybody in this role needs a second factor."""
    return bool(s.scalar(select(RolePolicy.second_factor_required).where(RolePolicy.role == role)))


def lacks_factor(s: Session, person: Person) -> bool:
    """Whether this person's role requires a second factor and they have none."""
    return requires_factor(s, person.role) and not s.scalar(select(exists().where(Person.id == person.id, HAS_FACTOR)))


def hold(s: Session, person: Person) -> None:
    """One change of somebody's second factors at a time, so that of the last two not both go at once."""
    locks.take_in_transaction(s, f"factors:{person.id}")


def require_factor(s: Session, role: Role, required: bool, *, by: Person, now: datetime) -> None:
    """Ask a second factor of everybody in this role, or no longer.

    Whoever is signed in without having one may do nothing else from now on than set one up; the others go on as they were.
    """
    if requires_factor(s, role) is required:
        return
    new = insert(RolePolicy).values(role=role, second_factor_required=required)
    s.execute(new.on_conflict_do_update(index_elements=[RolePolicy.role], set_={"second_factor_required": required}))
    concerned = select(Person.id).where(Person.role == role)
    if required:
        concerned = concerned.where(not_(HAS_FACTOR))
    s.execute(
        update(SignIn)
        .where(SignIn.person_id.in_(concerned), SignIn.ended_at.is_(None))
        .values(restricted=required)
        .execution_options(synchronize_session=False)
    )
    audit.record(s, Event.ROLE_POLICY_CHANGED, now=now, by=by.signature, role=role.value, second_factor_required=required)
