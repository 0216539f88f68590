"""A message that belongs elsewhere: on a ticket of its own, or on another one of the same customer."""

from datetime import datetime

from sqlalchemy import func, select

from app.accounts.models import Person
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, NotFound
from app.db.session import Session
from app.sla import actions as sla
from app.sla.rules import Moment
from app.tickets import facts, waiting, words
from app.tickets.history import record
from app.tickets.holding import for_work, hold, locked, refuse_merged
from app.tickets.merging import one_customer, refuse_to_reveal
from app.tickets.models import Message, Ticket
from app.tickets.queries import conversation
from app.tickets.rules import Status


class CantMove(Conflict):
    """This message can't be taken away from its ticket."""

    slug = "cant-move"


def split(s: Session, number: int, message_id: int, *, subject: str | None, by: Person, now: datetime) -> Ticket:
    """Make a message the first of a new ticket, which is its author's, or where staff wrote it the same requester's.

    The new ticket has the old one's team, priority and tags, and its clocks run since the message was written.
    """
    (ticket,) = hold(s, by, number)
    message = _movable(s, ticket, message_id)
    fresh = _like(s, ticket, message, subject, now=now)
    _put(s, message, fresh)
    record(s, ticket, Event.TICKET_SPLIT, by=by, now=now, message=message.id, into=fresh.number)
    record(s, fresh, Event.TICKET_OPENED, by=by, now=now, message=message.id, split_from=ticket.number)
    ticket.updated_at = now
    words.refresh(s, ticket.number, fresh.number)
    _begin(s, fresh, message.created_at, by=by, now=now, accepted=ticket.accepted_at is not None, auto=message.auto)
    waiting.moved_away(s, ticket, now=now)
    return fresh


def move(s: Session, number: int, message_id: int, *, to: int, by: Person, now: datetime, reveal: bool = False) -> Message:
    """Put a message on another ticket of the same customer. Moving it back undoes it. `reveal` as for a merge."""
    found = locked(s, [number, to])
    ticket, other = for_work(found.get(number), number, by), for_work(found.get(to), to, by)
    message = _movable(s, ticket, message_id)
    _refuse(ticket, other)
    if not message.internal:
        refuse_to_reveal([ticket], other, reveal=reveal)
    waits = message.created_at if waiting.unanswered(s, message) else None
    _put(s, message, other)
    ticket.updated_at = other.updated_at = now
    words.refresh(s, ticket.number, other.number)
    for each in (ticket, other):
        record(s, each, Event.MESSAGE_MOVED, by=by, now=now, message=message.id, moved_from=number, moved_to=to)
    waiting.moved_away(s, ticket, now=now)
    waiting.asked(s, other, waits)
    return message


def _movable(s: Session, ticket: Ticket, message_id: int) -> Message:
    refuse_merged(ticket)
    found = select(Message).where(Message.id == message_id, conversation(ticket.number))
    message = s.scalar(found.execution_options(populate_existing=True))
    if message is None:
        raise NotFound(f"There is no message {message_id} on ticket {ticket.number}.")
    if message.ticket != ticket.number:
        raise CantMove(f"This message came with ticket {message.ticket}, which was merged. Unmerge that one first.")
    if s.scalar(select(func.count()).where(Message.ticket == ticket.number)) == 1:
        raise CantMove("This is the only message of its ticket. Merge the ticket instead.")
    return message


def _refuse(ticket: Ticket, other: Ticket) -> None:
    if other is ticket:
        raise CantMove("The message is on this ticket already. Name another one in `to`.")
    refuse_merged(other)
    if not one_customer(ticket, other):
        raise CantMove(
            f"Tickets {ticket.number} and {other.number} are of different customers: the one would read the other's message."
        )


def _like(s: Session, ticket: Ticket, message: Message, subject: str | None, *, now: datetime) -> Ticket:
    requester = ticket.requester if message.from_staff or message.internal else message.author
    same = {name: getattr(ticket, name) for name in ("priority", "team_id")}
    fresh = Ticket(
        subject=text.one_line(subject or "", most=500) or ticket.subject,
        status=Status.NEW,
        channel=message.channel,
        requester=requester,
        organization_id=ticket.organization_id if requester is ticket.requester else requester.organization_id,
        tags=list(ticket.tags),
        revision=0,
        created_at=message.created_at,
        updated_at=now,
        **same,
    )
    s.add(fresh)
    s.flush()
    words.begin(s, fresh)
    return fresh


def _put(s: Session, message: Message, ticket: Ticket) -> None:
    message.ticket = ticket.number
    s.flush()


def _begin(s: Session, fresh: Ticket, at: datetime, *, by: Person, now: datetime, accepted: bool, auto: bool) -> None:
    """Its clocks run since `at`. What was taken through the gate once does not go through it again."""
    asked = waiting.since(s, fresh.number) is not None
    sla.happened(s, fresh.number, Moment.ARISEN if auto else Moment.CREATED, at=at, facts=facts.of(fresh))
    if accepted:
        fresh.status, fresh.accepted_at = Status.ACCEPTED, now
        record(s, fresh, Event.TICKET_ACCEPTED, by=by, now=now)
        sla.happened(s, fresh.number, Moment.ACCEPTED if asked else Moment.TAKEN_ON, at=at, facts=facts.of(fresh))
