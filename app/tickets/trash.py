"""The trash: out of everybody's sight and time, and back again."""

from datetime import datetime

from app.accounts.models import Person
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid
from app.db.session import Session
from app.sla import actions as sla
from app.sla.rules import Moment
from app.tickets import facts, holding
from app.tickets.history import record
from app.tickets.models import Ticket


class NotInTrash(Conflict):
    """This ticket is not in the trash."""

    slug = "not-in-trash"


def discard(s: Session, ticket: Ticket, *, reason: str, by: Person, now: datetime) -> None:
    """Put it in the trash: customers have never heard of it, nothing more is done to it, and its clocks stand still."""
    why = text.one_line(reason, most=500)
    if not why:
        raise Invalid("Say why this ticket goes in the trash.")
    holding.refuse_merged(ticket)
    if ticket.trashed_at is not None:
        raise holding.InTrash
    ticket.trashed_at, ticket.trashed_by_id, ticket.trash_reason = now, by.id, why
    record(s, ticket, Event.TICKET_TRASHED, by=by, now=now, reason=why)
    sla.happened(s, ticket.number, Moment.SET_ASIDE, at=now, facts=facts.of(ticket))


def take_back(s: Session, ticket: Ticket, *, by: Person, now: datetime) -> None:
    """Out of the trash, as it was; the time away counts for nothing."""
    if ticket.trashed_at is None:
        raise NotInTrash
    before = {"reason": ticket.trash_reason, "since": ticket.trashed_at.isoformat()}
    ticket.trashed_at = ticket.trashed_by_id = ticket.trash_reason = None
    record(s, ticket, Event.TICKET_UNDELETED, by=by, now=now, **before)
    sla.happened(s, ticket.number, Moment.TAKEN_BACK, at=now, facts=facts.of(ticket))
