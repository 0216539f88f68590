"""Roles, and who may do what to which ticket."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

PAGE_IDLE = timedelta(hours=8)
PAGE_MOST = timedelta(days=7)
SEEN_AGAIN = timedelta(minutes=1)
ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=7)
SETUP_LIFE = timedelta(minutes=15)
PASSWORD_LEAST = 10
PASSWORD_MOST = 1024


class Door(StrEnum):
    """The ways to be signed in."""

    PAGE = "page"
    API = "api"


class Role(StrEnum):
    """In order of what they may."""

    CUSTOMER = "customer"
    CUSTOMER_ADMIN = "customer_admin"
    AGENT = "agent"
    MANAGER = "manager"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    @property
    def staff(self) -> bool:
        return self.rank >= Role.AGENT.rank


class Verb(StrEnum):
    """What one may want to do."""

    SEE = "see this ticket"
    ANSWER = "answer on this ticket"
    WORK = "work on this ticket"
    SEE_NOTES = "see internal notes"


class Actor(Protocol):
    """Whoever acts."""

    @property
    def id(self) -> int: ...
    @property
    def role(self) -> Role: ...
    @property
    def organization_id(self) -> int | None: ...


class Owned(Protocol):
    """Whatever belongs to a requester and perhaps to their organization."""

    @property
    def requester_id(self) -> int: ...
    @property
    def organization_id(self) -> int | None: ...


_LEAST = {
    Verb.SEE: Role.CUSTOMER,
    Verb.ANSWER: Role.CUSTOMER,
    Verb.WORK: Role.AGENT,
    Verb.SEE_NOTES: Role.AGENT,
}


def may(actor: Actor, verb: Verb, thing: Owned | None = None) -> bool:
    """Whether `actor` may do `verb`, to `thing` where the verb needs one."""
    if actor.role.rank < _LEAST[verb].rank:
        return False
    return thing is None or actor.role.staff or _owns(actor, thing)


def _owns(actor: Actor, thing: Owned) -> bool:
    if thing.requester_id == actor.id:
        return True
    return (
        actor.role is Role.CUSTOMER_ADMIN and actor.organization_id is not None and actor.organization_id == thing.organization_id
    )


def page_session_ends(created_at: datetime, seen_at: datetime) -> datetime:
    """A browser's session ends when it was idle for too long, and some day in any case."""
    return min(created_at + PAGE_MOST, seen_at + PAGE_IDLE)


def worth_noting(door: Door, seen_at: datetime, now: datetime) -> bool:
    """Whether a browser's session was seen long enough ago to be written down anew; a program's ends at its hour anyway."""
    return door is Door.PAGE and now - seen_at > SEEN_AGAIN


def password_problem(password: str) -> str | None:
    """What is wrong with a new password, in words; None when it will do."""
    if len(password) < PASSWORD_LEAST:
        return f"A password has {PASSWORD_LEAST} characters or more."
    if len(password) > PASSWORD_MOST:
        return f"A password has at most {PASSWORD_MOST} characters."
    if len(set(password)) < 4:
        return "That password repeats itself; choose another."
    return None
