"""Writing down what happened to a ticket."""

from datetime import datetime
from typing import Any

from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.db.session import Session
from app.tickets.models import Ticket


def record(s: Session, ticket: Ticket, event: Event, *, by: Person | None, now: datetime, **data: Any) -> None:
    """Write down what happened to a ticket, which thereby has a new revision."""
    ticket.revision += 1
    audit.record(s, event, now=now, by=by.signature if by else None, ticket=ticket.number, revision=ticket.revision, **data)


def begun(s: Session, ticket: Ticket, *, by: Person, now: datetime, **data: Any) -> None:
    """Write down that a ticket was opened and, where no gate held it, accepted: both are its first revision."""
    audit.record(s, Event.TICKET_OPENED, now=now, by=by.signature, ticket=ticket.number, revision=ticket.revision, **data)
    if ticket.accepted_at:
        audit.record(s, Event.TICKET_ACCEPTED, now=now, ticket=ticket.number, revision=ticket.revision)
