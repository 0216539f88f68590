"""A change of a ticket as a thing of its own: what a program asks for, a macro keeps, and a bulk does to many.

Each kind of change has its own verb and its own entry in the audit. Whatever isn't said stays UNSET and is left alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final, Literal, Self, TypeVar

from app.accounts.models import Person, Team
from app.audit.models import Event
from app.core.errors import Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions as sla
from app.sla.rules import Moment
from app.tickets import actions, facts, holding, snooze, tags
from app.tickets import fields as custom_fields
from app.tickets.models import Ticket
from app.tickets.rules import DONE, Status
from app.tickets.snooze import Because

W = TypeVar("W", bound=StrEnum)


class _Unset(Enum):
    UNSET = "unset"


UNSET: Final = _Unset.UNSET
Unset = Literal[_Unset.UNSET]


@dataclass(frozen=True)
class Change:
    """What to change on a ticket. None takes away: no team, nobody's, awake again."""

    subject: str | Unset = UNSET
    status: Status | Unset = UNSET
    priority: Priority | Unset = UNSET
    team_id: int | Unset | None = UNSET
    assignee_id: int | Unset | None = UNSET
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] | Unset = UNSET
    snoozed_until: datetime | Unset | None = UNSET

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The change that this JSON object tells. Raises Invalid, which names what is wrong."""
        unknown = sorted(set(given) - set(_READ))
        if unknown:
            raise Invalid(f"{unknown[0]!r} is nothing that can be changed. What can: {', '.join(_READ)}.")
        return cls(**{name: _READ[name](name, value) for name, value in given.items()})

    def told(self) -> dict[str, Any]:
        """The same as what JSON can hold; only what is said."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(value) for name, value in said.items() if value is not UNSET and value != ()}

    @property
    def empty(self) -> bool:
        """Whether nothing is said."""
        return not self.told()


def apply(s: Session, ticket: Ticket, change: Change, *, by: Person, now: datetime) -> None:
    """Do all of it, or raise the first refusal; the caller then rolls back. The ticket's row is locked.

    In this order: whose it is, what it is, what is in its fields, and then where it stands, which may need the others first.
    """
    holding.refuse_merged(ticket)
    with facts.once(s, ticket, now=now):
        _describe(s, ticket, change, by=by, now=now)
    if change.status is not UNSET and change.status is not ticket.status:
        actions.change_status(s, ticket, to=change.status, by=by, now=now)
    if change.snoozed_until is not UNSET:
        _sleep(s, ticket, change.snoozed_until, by=by, now=now)


def _describe(s: Session, ticket: Ticket, change: Change, *, by: Person, now: datetime) -> None:
    if change.team_id is not UNSET:
        actions.hand_over(s, ticket, to=_team(s, change.team_id), by=by, now=now)
    if change.assignee_id is not UNSET and change.assignee_id != ticket.assignee_id:
        actions.assign(s, ticket, to=person(s, change.assignee_id), by=by, now=now)
    if change.subject is not UNSET:
        actions.retitle(s, ticket, to=change.subject, by=by, now=now)
    if change.priority is not UNSET:
        actions.prioritise(s, ticket, to=change.priority, by=by, now=now)
    tags.put(s, ticket, add=change.add_tags, remove=change.remove_tags, by=by, now=now)
    if change.fields is not UNSET:
        custom_fields.fill(s, ticket, change.fields, by=by, now=now)


def values(ticket: Ticket) -> dict[str, Any]:
    """A snapshot of everything a change can change, as what JSON can hold, with the times that go with the status."""
    return {
        "subject": ticket.subject,
        "status": ticket.status.value,
        "priority": ticket.priority.value,
        "team_id": ticket.team_id,
        "assignee_id": ticket.assignee_id,
        "tags": list(ticket.tags),
        "fields": dict(ticket.fields),
        "snoozed_until": _plain(ticket.snoozed_until),
        **{name: _plain(getattr(ticket, name)) for name in _TIMES},
    }


def restore(s: Session, ticket: Ticket, before: Mapping[str, Any], *, by: Person, now: datetime) -> None:
    """Put a snapshot back, the status too, whatever steps people may take. Raises Invalid where it can't be put back: the team
    was archived since, or the assignee may not work on it any more.
    """
    with facts.once(s, ticket, now=now):
        actions.hand_over(s, ticket, to=_team(s, before["team_id"]), by=by, now=now)
        if before["assignee_id"] != ticket.assignee_id:
            actions.assign(s, ticket, to=person(s, before["assignee_id"]), by=by, now=now)
        actions.retitle(s, ticket, to=before["subject"], by=by, now=now)
        actions.prioritise(s, ticket, to=Priority(before["priority"]), by=by, now=now)
        tags.put(s, ticket, add=before["tags"], remove=set(ticket.tags) - set(before["tags"]), by=by, now=now)
        custom_fields.put(s, ticket, custom_fields.surviving(s, before["fields"]), by=by, now=now)
    _put_status_back(s, ticket, before, by=by, now=now)
    slept_until = _time("snoozed_until", before["snoozed_until"])
    _sleep(s, ticket, slept_until if slept_until and slept_until > now else None, by=by, now=now)


def person(s: Session, id: int | None) -> Person | None:
    """Somebody by their id, None for nobody; held as they are until this is done. Raises Invalid."""
    found = None if id is None else s.get(Person, id, with_for_update={"read": True, "of": Person}, populate_existing=True)
    if id is not None and found is None:
        raise Invalid(f"There is no person {id}.")
    return found


_TIMES = ("accepted_at", "resolved_at", "closed_at")


def _put_status_back(s: Session, ticket: Ticket, before: Mapping[str, Any], *, by: Person, now: datetime) -> None:
    was, to = ticket.status, Status(before["status"])
    if was is to:
        return
    ticket.status, ticket.updated_at = to, now
    for name in _TIMES:
        setattr(ticket, name, _time(name, before[name]))
    actions.record(s, ticket, Event.TICKET_STATUS_CHANGED, by=by, now=now, before=was.value, after=to.value, reverted=True)
    for moment in _moments_back(was, to):
        sla.happened(s, ticket.number, moment, at=now, facts=facts.of(ticket))


def _moments_back(was: Status, to: Status) -> list[Moment]:
    """What its clocks are told. They can't forget that it was accepted: what began to run goes on."""
    if to in DONE:
        return [Moment.RESOLVED if to is Status.RESOLVED else Moment.ENDED]
    back = [Moment.UNDONE] if was in DONE else [Moment.RESUMED] if was is Status.WAITING_CUSTOMER else []
    return [*back, Moment.PAUSED] if to is Status.WAITING_CUSTOMER else back


def _sleep(s: Session, ticket: Ticket, at: datetime | None, *, by: Person, now: datetime) -> None:
    if at is None:
        snooze.awaken(s, ticket, by=by, now=now, because=Because.PERSON)
    else:
        snooze.until(s, ticket, at, by=by, now=now)


def _team(s: Session, id: int | None) -> Team | None:
    found = None if id is None else s.get(Team, id, with_for_update={"read": True}, populate_existing=True)
    if id is not None and found is None:
        raise Invalid(f"There is no team {id}.")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{name} is a text.")
    return value


def _id(name: str, value: Any) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63):
        raise Invalid(f"{name} is a number, or null.")
    return value


def _word(kind: type[W]) -> Callable[[str, Any], W]:
    def read(name: str, value: Any) -> W:
        if value not in list(kind):
            raise Invalid(f"{name} is one of: {', '.join(kind)}.")
        return kind(value)

    return read


def _tags(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > tags.MOST or not all(isinstance(each, str) for each in value):
        raise Invalid(f"{name} is a list of at most {tags.MOST} tags.")
    return tuple(dict.fromkeys(tags.normal(each) for each in value))


def _object(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Invalid(f"{name} is an object: the fields' values by their keys.")
    return dict(value)


def _time(name: str, value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Invalid(f"{name} is a time like 2026-11-24T09:00:00Z, or null.") from None


_READ: dict[str, Callable[[str, Any], Any]] = {
    "subject": _text,
    "status": _word(Status),
    "priority": _word(Priority),
    "team_id": _id,
    "assignee_id": _id,
    "add_tags": _tags,
    "remove_tags": _tags,
    "fields": _object,
    "snoozed_until": _time,
}
