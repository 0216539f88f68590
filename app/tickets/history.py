"""What happened to a ticket: writing it down, and reading it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.accounts.models import Person
from app.accounts.rules import Actor
from app.audit import actions as audit
from app.audit import queries as audit_queries
from app.audit.models import Entry, Event
from app.db.session import Session
from app.tickets.models import Ticket
from app.tickets.queries import visible_to


def record(s: Session, ticket: Ticket, event: Event, *, by: Person | None, now: datetime, **data: Any) -> None:
    """Write down what happened to a ticket, which thereby has a new revision."""
    ticket.revision += 1
    audit.record(s, event, now=now, by=by.signature if by else None, ticket=ticket.number, revision=ticket.revision, **data)


def begun(s: Session, ticket: Ticket, *, by: Person, now: datetime, **data: Any) -> None:
    """Write down that a ticket was opened and, where no gate held it, accepted: both are its first revision."""
    audit.record(s, Event.TICKET_OPENED, now=now, by=by.signature, ticket=ticket.number, revision=ticket.revision, **data)
    if ticket.accepted_at:
        audit.record(s, Event.TICKET_ACCEPTED, now=now, ticket=ticket.number, revision=ticket.revision)


OTHERS = (
    "other",
    "into",
    "source",
    "out_of",
    "split_from",
    "moved_from",
    "moved_to",
    "follow_up",
)  # entries name tickets there


def seen_by(s: Session, actor: Actor, ticket: int) -> list[Entry]:
    """A ticket's timeline, oldest first, without what names a ticket that `actor` may not see: not even that it is there."""
    entries = audit_queries.of_ticket(s, ticket)
    named = {entry.seq: {n for key in OTHERS if isinstance(n := entry.data.get(key), int)} - {ticket} for entry in entries}
    asked = set().union(*named.values())
    known = set(s.scalars(select(Ticket.number).where(Ticket.number.in_(asked), visible_to(actor)))) if asked else set()
    return [entry for entry in entries if named[entry.seq] <= known]
