"""Roles, and who may do what to which ticket."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Protocol

PAGE_IDLE = timedelta(hours=8)
PAGE_MOST = timedelta(days=7)
SEEN_AGAIN = timedelta(minutes=1)
ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=7)
SETUP_LIFE = timedelta(minutes=15)
TOKEN_PREFIX = "atum_"  # noqa: S105 (what our API tokens begin with)
PASSWORD_LEAST = 10
PASSWORD_MOST = 1024


class Door(StrEnum):
    """The ways to be signed in."""

    PAGE = "page"
    API = "api"
    TOKEN = "token"  # noqa: S105 (an API token, which has no session)


class Role(StrEnum):
    """In order of what they may."""

    CUSTOMER = "customer"
    CUSTOMER_ADMIN = "customer_admin"
    AGENT = "agent"
    MANAGER = "manager"
    ADMIN = "admin"

    @cached_property
    def rank(self) -> int:
        return list(Role).index(self)

    @property
    def staff(self) -> bool:
        return self.rank >= Role.AGENT.rank

    @property
    def manages(self) -> bool:
        """Whether every team's tickets are this role's."""
        return self.rank >= Role.MANAGER.rank


class Part(StrEnum):
    """What a member of a team may do: read its tickets and note, work on them, and also keep its replies, views and fields."""

    READER = "reader"
    MEMBER = "member"
    LEAD = "lead"

    @cached_property
    def rank(self) -> int:
        return list(Part).index(self)


class LinkPurpose(StrEnum):
    """What a mailed one-time link is good for."""

    INVITE = "invite"
    RESET = "reset"
    EMAIL = "email"


class Scope(StrEnum):
    """What an API token may do of what its owner may. `…:write` includes `…:read` of the same."""

    TICKETS_READ = "tickets:read"
    TICKETS_WRITE = "tickets:write"
    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    DESK_READ = "desk:read"
    DESK_WRITE = "desk:write"
    REPORTS_READ = "reports:read"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"
    ACCOUNT_READ = "account:read"


class Verb(StrEnum):
    """What one may want to do to a ticket."""

    SEE = "see this ticket"
    ANSWER = "answer on this ticket"
    NOTE = "note on this ticket"
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
    @property
    def teams(self) -> Mapping[int, Part]: ...


class Owned(Protocol):
    """Whatever belongs to a requester, and perhaps to their organization and to a team."""

    @property
    def requester_id(self) -> int: ...
    @property
    def organization_id(self) -> int | None: ...
    @property
    def team_id(self) -> int | None: ...
    @property
    def trashed_at(self) -> datetime | None: ...


_LEAST = {
    Verb.SEE: Role.CUSTOMER,
    Verb.ANSWER: Role.CUSTOMER,
    Verb.NOTE: Role.AGENT,
    Verb.WORK: Role.AGENT,
    Verb.SEE_NOTES: Role.AGENT,
}
_LEAST_PART = {
    Verb.SEE: Part.READER,
    Verb.ANSWER: Part.MEMBER,
    Verb.NOTE: Part.READER,
    Verb.WORK: Part.MEMBER,
    Verb.SEE_NOTES: Part.READER,
}


def may(actor: Actor, verb: Verb, thing: Owned | None = None) -> bool:
    """Whether `actor` may do `verb`, to `thing` where one is meant.

    Managers may everywhere. An agent may what their part in the ticket's team allows; a ticket of no team is every agent's.
    """
    if actor.role.rank < _LEAST[verb].rank:
        return False
    if thing is None or actor.role.manages:
        return True
    if not actor.role.staff:
        return thing.trashed_at is None and _owns(actor, thing)
    part = Part.MEMBER if thing.team_id is None else actor.teams.get(thing.team_id)
    return part is not None and part.rank >= _LEAST_PART[verb].rank


def may_keep(actor: Actor, team_id: int | None) -> bool:
    """Whether `actor` may change what a team shares (replies, macros, views, fields); what all share takes a manager."""
    return actor.role.manages or (actor.role.staff and team_id is not None and actor.teams.get(team_id) is Part.LEAD)


def may_manage(actor: Actor, role: Role) -> bool:
    """Whether `actor` may add, change and disable people of this role: managers below their own, administrators all."""
    return actor.role is Role.ADMIN or (actor.role is Role.MANAGER and role.rank < Role.MANAGER.rank)


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
    """Whether a session or token was seen long enough ago to be written down anew; a program's session ends at its hour."""
    return door is not Door.API and now - seen_at > SEEN_AGAIN


def password_problem(password: str) -> str | None:
    """What is wrong with a new password, in words; None when it will do."""
    if len(password) < PASSWORD_LEAST:
        return f"A password has {PASSWORD_LEAST} characters or more."
    if len(password) > PASSWORD_MOST:
        return f"A password has at most {PASSWORD_MOST} characters."
    if len(set(password)) < 4:
        return "That password repeats itself; choose another."
    return None
