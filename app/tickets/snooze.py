"""Snoozing: a ticket is out of the lists of what is to be done until its time, or until its customer writes.

`snoozed_until` is the due-time row: any number of workers may look for those whose time has come.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from app.accounts.models import Person
from app.audit.models import Event
from app.core import zones
from app.core.errors import Conflict, Invalid
from app.db.session import Session
from app.db.session import now as database_now
from app.outbox import actions as outbox
from app.tickets import followers, holding, notices
from app.tickets.history import record
from app.tickets.models import Ticket
from app.tickets.rules import DONE

LONGEST = timedelta(days=365)
AGAIN = 0.05  # seconds


class Because(StrEnum):
    """Why a ticket woke."""

    TIME = "time"
    CUSTOMER = "customer"
    PERSON = "person"


def until(s: Session, ticket: Ticket, at: datetime, *, by: Person, now: datetime) -> None:
    """Let it sleep until then. Raises Invalid for a time that isn't ahead, Conflict for a ticket with nothing left to do."""
    holding.refuse_merged(ticket)
    if at.tzinfo is None:
        raise Invalid("That time has no time zone. Write it like 2026-11-24T09:00:00Z.")
    if not now < at <= now + LONGEST:
        raise Invalid(f"A ticket can be snoozed until a time that is ahead, at most {LONGEST.days} days.")
    if ticket.status in DONE:
        raise Conflict(f"This ticket is {ticket.status}: there is nothing to snooze.")
    if at != ticket.snoozed_until:
        ticket.snoozed_until = at
        record(s, ticket, Event.TICKET_SNOOZED, by=by, now=now, until=at.isoformat())


def awaken(s: Session, ticket: Ticket, *, by: Person | None, now: datetime, because: Because) -> None:
    """Back among what is to be done; nothing for a ticket that doesn't sleep."""
    if ticket.snoozed_until is not None:
        ticket.snoozed_until = None
        record(s, ticket, Event.TICKET_AWOKEN, by=by, now=now, because=because.value)


def wake_due(s: Session, zone: tzinfo = UTC, *, limit: int = 100) -> int:
    """Wake the tickets whose time has come by the database's clock, and tell whose they are; call again until it answers 0.

    One that somebody is changing right now is left for the next round. `zone` is the desk's, for readers without one.
    """
    due = select(Ticket).where(_asleep(), Ticket.snoozed_until <= func.now()).order_by(Ticket.snoozed_until).limit(limit)
    found = s.scalars(due.with_for_update(of=Ticket, skip_locked=True).execution_options(populate_existing=True)).all()
    now = database_now(s) if found else None
    for ticket in found:
        assert now
        slept_until: Any = ticket.snoozed_until
        awaken(s, ticket, by=None, now=now, because=Because.TIME)
        for person in followers.concerned(s, ticket, ticket.assignee):
            outbox.put(s, notices.awake(ticket, slept_until, person, zones.of(person.zone, zone)), now=now)
    return len(found)


def seconds_until_next(s: Session) -> float | None:
    """How long until the next one wakes, or is to be tried again because somebody holds it; None when none sleeps."""
    left = func.extract("epoch", func.min(Ticket.snoozed_until) - func.clock_timestamp())
    found = s.scalar(select(left).where(_asleep()))
    return None if found is None else max(float(found), AGAIN)


def _asleep() -> ColumnElement[bool]:
    """What is in the trash or part of another ticket sleeps on."""
    return and_(Ticket.snoozed_until.is_not(None), Ticket.trashed_at.is_(None), Ticket.merged_into.is_(None))
