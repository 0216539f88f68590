"""What waits to be done: how much of each kind, since when, and since when it should have been."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from app.db.session import Session
from app.intake.models import InboundMail
from app.intake.rules.states import MailState
from app.outbox.models import Delivery, DeliveryState, Letter, State
from app.sla.models import Clock, Escalation
from app.tickets.models import PlannedAnswer


@dataclass(frozen=True)
class Queue:
    """One kind of work. `due_since` is when the first of what is due became so; `held` waits for a person.

    `since` is when the first of what waits came. Where work waits for its time by design (clocks), only what is due is waiting.
    """

    name: str
    waiting: int
    since: datetime | None
    due: int
    due_since: datetime | None
    held: int = 0

    def late_by(self, now: datetime) -> float:
        """Seconds that the first of what is due has been waiting for."""
        return max((now - self.due_since).total_seconds(), 0.0) if self.due_since else 0.0


def all_of(c: Connection | Session) -> Sequence[Queue]:
    """Every queue there is."""
    return [_mail(c), _letters(c), _deliveries(c), _clocks(c), _escalations(c), _planned(c)]


def _mail(c: Connection | Session) -> Queue:
    """Mails that came and have no outcome yet: each is due at once."""
    new, held = InboundMail.state == MailState.NEW, InboundMail.state == MailState.QUARANTINED
    counts = select(func.count().filter(new), func.min(InboundMail.taken_at).filter(new), func.count().filter(held))
    waiting, since, quarantined = c.execute(counts.where(new | held)).one()
    return Queue("mail", waiting, since, waiting, since, quarantined)


def _letters(c: Connection | Session) -> Queue:
    waits = Letter.state.in_((State.QUEUED, State.SENDING))
    unknown = c.execute(select(func.count()).where(Letter.state == State.UNKNOWN)).scalar_one()
    return _of(c, "outbox", waits, Letter.created_at, Letter.next_at, unknown)


def _deliveries(c: Connection | Session) -> Queue:
    return _of(c, "webhooks", Delivery.state == DeliveryState.WAITING, Delivery.created_at, Delivery.next_at)


def _clocks(c: Connection | Session) -> Queue:
    return _timed(c, "clocks", Clock.next_at)


def _escalations(c: Connection | Session) -> Queue:
    return _timed(c, "escalations", Escalation.next_at)


def _planned(c: Connection | Session) -> Queue:
    return _timed(c, "planned answers", PlannedAnswer.due_at)


def _of(c: Connection | Session, name: str, waits: ColumnElement[bool], came: Any, next_at: Any, held: int = 0) -> Queue:
    due = next_at <= func.now()
    figures = select(func.count(), func.min(came), func.count().filter(due), func.min(next_at).filter(due)).where(waits)
    waiting, since, count, due_since = c.execute(figures).one()
    return Queue(name, waiting, since, count, due_since, held)


def _timed(c: Connection | Session, name: str, at: Any) -> Queue:
    """What waits for its time."""
    due = at <= func.now()
    figures = select(func.count(), func.count().filter(due), func.min(at).filter(due)).where(at.is_not(None))
    waiting, count, since = c.execute(figures).one()
    return Queue(name, waiting, None, count, since)
