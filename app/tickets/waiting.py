"""Whom an answer is owed, where messages change their place: a customer who waits does so from their own message on."""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import aliased

from app.db.session import Session
from app.sla import actions as sla
from app.sla.rules import Moment
from app.tickets import facts
from app.tickets.models import Message, Ticket
from app.tickets.queries import conversation
from app.tickets.rules import OPEN, Status


def since(s: Session, number: int) -> datetime | None:
    """Since when the customer of this ticket waits for an answer; None where nobody does."""
    return s.scalar(select(Message.created_at).where(conversation(number), *_asked(number)).order_by(Message.id).limit(1))


def unanswered(s: Session, message: Message) -> bool:
    """Whether this is a customer's message that nobody has answered yet."""
    return s.scalar(select(Message.id).where(Message.id == message.id, *_asked(message.ticket))) is not None


def asked(s: Session, ticket: Ticket, at: datetime | None) -> None:
    """Somebody waits on this ticket since `at` (None: nobody does), and no clock may have known."""
    if at is not None and _lives(ticket):
        sla.happened(s, ticket.number, Moment.ASKED_BEFORE, at=at, facts=facts.of(ticket))


def moved_away(s: Session, ticket: Ticket, *, now: datetime) -> None:
    """Messages have left this ticket: where nobody waits any more, nothing is promised, and else only since what is left."""
    if not _lives(ticket):
        return
    waits = since(s, ticket.number)
    moment = Moment.MOVED_AWAY if waits is None else Moment.WAITS_SINCE
    sla.happened(s, ticket.number, moment, at=waits or now, facts=facts.of(ticket))


def _lives(ticket: Ticket) -> bool:
    return ticket.status in OPEN and ticket.status is not Status.NEW


def _asked(number: int) -> tuple[ColumnElement[bool], ...]:
    """What a customer said in public after the last answer in this conversation."""
    answer = aliased(Message)
    there = answer.ticket.in_(select(Ticket.number).where((Ticket.number == number) | (Ticket.conversation == number)))
    said = (answer.internal.is_(False), answer.auto.is_(False), answer.from_staff)
    last = select(func.coalesce(func.max(answer.id), 0)).where(there, *said).scalar_subquery()
    return Message.internal.is_(False), Message.auto.is_(False), Message.from_staff.is_(False), Message.id > last
