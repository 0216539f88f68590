"""Tickets that come from elsewhere with a past."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions, queries
from app.sla.backfill import backfill
from app.sla.models import Clock, Escalation, Happening
from app.sla.rules import Instant, Metric, Moment, State
from tests.db.sla.known import nothing_more, of

HOUR = timedelta(hours=1)
MEDIUM = of(Priority.MEDIUM)

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("standard")]


def brought(s: Session, now: datetime, *life: tuple[float, Moment]) -> dict[tuple[Metric, int], Clock]:
    """A ticket to which this happened so many hours ago."""
    instants = [Instant(now - ago * HOUR, (moment,)) for ago, moment in life]
    backfill(s, 1, instants, facts=MEDIUM, now=now)
    return {(c.metric, c.cycle): c for c in s.scalars(select(Clock).where(Clock.ticket == 1))}


def test_what_was_missed_is_known_as_missed_and_nobody_is_told(s: Session, now: datetime) -> None:
    found = brought(s, now, (100, Moment.ACCEPTED))
    first = found[Metric.FIRST_RESPONSE, 1]
    assert (first.state, first.breached_at, first.next_at) == (State.BREACHED_OPEN, now - 92 * HOUR, None)
    assert actions.fire_due(s, nothing_more) == []
    assert s.scalar(select(func.count()).select_from(Escalation)) == 0
    told = s.execute(
        select(Happening.kind, Happening.threshold).where(Happening.clock_id == first.id).order_by(Happening.id)
    ).all()
    assert [tuple(row) for row in told] == [("skipped", "75%"), ("breach", "100%")]


def test_what_is_still_to_come_is_told_as_ever(s: Session, now: datetime) -> None:
    found = brought(s, now, (7, Moment.ACCEPTED))
    first = found[Metric.FIRST_RESPONSE, 1]
    assert (first.state, first.next_threshold, first.next_at) == (State.RUNNING, "100%", now + HOUR)


def test_every_exchange_and_pause_of_the_past_is_there(s: Session, now: datetime) -> None:
    found = brought(
        s,
        now,
        (50, Moment.ACCEPTED),
        (49, Moment.AGENT_ANSWERED),
        (49, Moment.PAUSED),
        (40, Moment.CUSTOMER_SPOKE),
        (40, Moment.RESUMED),
        (30, Moment.AGENT_ANSWERED),
        (20, Moment.CUSTOMER_SPOKE),
        (19, Moment.AGENT_ANSWERED),
    )
    assert {key: clock.outcome for key, clock in found.items()} == {
        (Metric.FIRST_RESPONSE, 1): "met",
        (Metric.NEXT_RESPONSE, 1): "late",
        (Metric.NEXT_RESPONSE, 2): "met",
        (Metric.RESOLUTION, 1): None,
    }
    assert found[Metric.RESOLUTION, 1].due_at == now - 50 * HOUR + 72 * HOUR + 9 * HOUR
    assert queries.drifts(s, after=0, limit=10) == ([], None)
    assert actions.fire_due(s, nothing_more) == []
