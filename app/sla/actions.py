"""What changes clocks: what happens to tickets, time, and other promises. Nothing here commits.

Locks are taken in one order: the ticket's row by the caller, then its clocks. A sweep takes clocks alone, and only those
that nobody holds.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.db.session import now as database_now
from app.hours import actions as hours
from app.hours.models import Calendar
from app.sla import defaults, queries, rules
from app.sla.models import Clock, Happening, Policy, Segment, Target
from app.sla.queries import seconds_until_next
from app.sla.rules import Dealt, Kind, Metric, Moment, Start

__all__ = ["Fired", "ensure_defaults", "fire_due", "happened", "seconds_until_next", "set_targets"]

WAKE = "sla_wake"  # the channel that workers listen on
LONGEST = 10 * 365 * defaults.DAY  # seconds
PUT_OFF = timedelta(hours=1)  # for a clock that can't be reckoned, so that it doesn't hold up the others

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fired:
    """A threshold that was told: it fell on `at` and was noticed at `detected_at`."""

    clock_id: int
    rearm: int
    ticket: int
    metric: Metric
    kind: Kind
    percent: int
    due_at: datetime
    at: datetime
    detected_at: datetime
    explanation: list[str]


def happened(s: Session, ticket: int, moment: Moment, *, at: datetime, priority: Priority) -> None:
    """Let a ticket's clocks know, in the ticket's own transaction. The caller holds the ticket's row locked."""
    rows = {row.metric: row for row in s.scalars(_latest(ticket))}
    before = dict(zip(rows, queries.values(s, list(rows.values())), strict=True))
    for metric, clock in rules.after(before, moment, at, queries.plan(s, priority, now=at)).items():
        known = before.get(metric)
        if known is None or clock.cycle != known.cycle:
            _add(s, ticket, clock)
        elif clock != known:
            _write(s, rows[metric], clock, known.segments)
    s.flush()
    _wake(s)


def fire_due(s: Session, *, limit: int = 200) -> list[Fired]:
    """Deal with clocks whose next moment has come by the database's time, and answer what there is to tell.

    A clock under an outdated promise is reckoned again before anything may be told of it.
    """
    claimed = (
        select(Clock).where(Clock.next_at <= func.now()).order_by(Clock.next_at).limit(limit).with_for_update(skip_locked=True)
    )
    rows = s.scalars(claimed.execution_options(populate_existing=True)).all()
    if not rows:
        return []
    now, plans = database_now(s), _Plans(s)
    fired: list[Fired] = []
    for row, clock in zip(rows, queries.values(s, rows), strict=True):
        try:
            fired += _fire(s, row, clock, plans, now)
        except (ArithmeticError, LookupError, ValueError):
            log.exception("this clock can't be reckoned; put off for an hour", extra={"ticket": row.ticket, "clock": row.id})
            row.next_at = now + PUT_OFF
    s.flush()
    return fired
