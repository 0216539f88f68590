"""What an edit of a calendar does to clocks: those that run are reckoned again, those that are over stay as they were known."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core.errors import Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.hours import actions as hours
from app.hours import queries as calendar_queries
from app.hours import zones
from app.hours.models import Calendar, CalendarVersion
from app.sla import actions, calendars, ladder, policies, queries, rebuild
from app.sla.models import Clock, Policy, Step, Target
from app.sla.rules import Metric, Moment
from app.sla.rules.ladder import Rung
from tests.db.sla.known import nothing_more, of

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("standard")]

BOB = (7, "Bob")
HOUR = timedelta(hours=1)
ALWAYS = [[["00:00", "24:00"]]] * 7


@pytest.fixture
def calendar(s: Session) -> Calendar:
    """The one by which the standard promises are measured."""
    return s.scalars(select(Calendar).join(Target, Target.calendar_id == Calendar.id)).first()  # type: ignore[return-value]


def closed_for(days: int, since: datetime) -> dict[str, Any]:
    closed = [{"date": (since.date() + timedelta(days=n)).isoformat(), "name": "Flood"} for n in range(days)]
    return {"zone": "UTC", "week": ALWAYS, "closed": closed, "instead": []}


def happen(s: Session, at: datetime, *moments: Moment, ticket: int = 1) -> Clock:
    """The first-response clock of a ticket to which this happens."""
    for moment in moments:
        actions.happened(s, ticket, moment, at=at, facts=of(Priority.MEDIUM))
    return s.scalars(select(Clock).where(Clock.ticket == ticket, Clock.metric == Metric.FIRST_RESPONSE)).one()


def swept(s: Session) -> list[actions.Fired]:
    """What the workers tell, after they have reckoned again what there is to reckon."""
    while rebuild.step(s, nothing_more):
        pass
    return actions.fire_due(s, nothing_more)


def test_a_holiday_that_begins_now_moves_what_runs(s: Session, now: datetime, calendar: Calendar) -> None:
    clock = happen(s, now - HOUR, Moment.ACCEPTED)
    assert clock.due_at == now + 7 * HOUR
    calendars.change(s, calendar, closed_for(2, now), by=BOB, now=now)
    swept(s)
    midnight = datetime.combine(now.date() + timedelta(days=2), datetime.min.time(), now.tzinfo)
    assert clock.due_at == midnight + 7 * HOUR


def test_a_breach_that_a_holiday_undoes_is_not_told(s: Session, now: datetime, calendar: Calendar) -> None:
    happen(s, now - 9 * HOUR, Moment.ACCEPTED)
    calendars.change(
        s, calendar, closed_for(3, now - 24 * HOUR), by=BOB, now=now, effective_from=now - 24 * HOUR, retroactive=True
    )
    assert [fired for fired in swept(s) if fired.metric is Metric.FIRST_RESPONSE] == []


def test_what_is_over_keeps_the_hours_it_was_judged_by(s: Session, now: datetime, calendar: Calendar) -> None:
    happen(s, now - 9 * HOUR, Moment.ACCEPTED)
    clock = happen(s, now - 6 * HOUR, Moment.AGENT_ANSWERED)
    due_at, before = clock.due_at, queries.clocks(s, 1)
    calendars.change(
        s, calendar, closed_for(3, now - 24 * HOUR), by=BOB, now=now, effective_from=now - 24 * HOUR, retroactive=True
    )
    swept(s)
    calendar_queries._shelf.clear()  # as in another process, which never knew what was said before
    assert clock.due_at == due_at
    assert queries.clocks(s, 1)[0] == before[0]


def test_a_replay_of_clocks_agrees_after_an_edit(s: Session, now: datetime, calendar: Calendar) -> None:
    for ticket in range(1, 4):
        happen(s, now - ticket * HOUR, Moment.ACCEPTED, ticket=ticket)
    calendars.change(s, calendar, closed_for(2, now), by=BOB, now=now)
    assert queries.drifts(s, after=0, limit=100)[0] == []
    swept(s)
    assert queries.drifts(s, after=0, limit=100)[0] == []


def test_a_calendar_that_measures_is_not_removed_and_one_that_did_is(s: Session, now: datetime, calendar: Calendar) -> None:
    with pytest.raises(calendars.InUse, match="Standard goes by this calendar"):
        calendars.remove(s, calendar, by=BOB, now=now)
    policy = policies.held(s, queries.policies(s)[0].id)
    policies.change(s, policy, {"targets": {"resolution": {"low": 60}}}, by=BOB, now=now)
    other = hours.add(s, "Other", zone="UTC", week=ALWAYS, now=now)
    s.execute(update(Target).where(Target.version == 2).values(calendar_id=other.id))
    calendars.remove(s, calendar, by=BOB, now=now)
    assert calendar.removed_at == now


def test_a_calendar_in_whose_hours_a_ladder_tells_is_not_removed(s: Session, now: datetime) -> None:
    night = hours.add(s, "Night", zone="UTC", week=ALWAYS, now=now)
    policy = queries.policies(s)[0]
    step = Step(policy_id=policy.id, version=policy.version, position=99, metric=Metric.RESOLUTION, threshold="100%")
    step.recipients, step.calendar_id, step.most = ["managers"], night.id, 1
    s.add(step)
    with pytest.raises(calendars.InUse, match="Standard goes by this calendar"):
        calendars.remove(s, night, by=BOB, now=now)


def test_a_ladder_tells_in_the_hours_of_no_calendar_that_was_removed(s: Session, now: datetime) -> None:
    night = hours.add(s, "Night", zone="UTC", week=ALWAYS, now=now)
    rung = Rung(Metric.RESOLUTION, "100%", ("managers",), calendar=night.id)
    assert ladder.checked(s, [rung], {}) == [rung]
    calendars.remove(s, night, by=BOB, now=now)
    with pytest.raises(Invalid, match=f"no calendar {night.id}"):
        ladder.checked(s, [rung], {})


def test_a_calendar_by_which_a_promise_would_take_a_lifetime_is_refused(s: Session, now: datetime, calendar: Calendar) -> None:
    seldom = {"zone": "UTC", "week": [[["09:00", "09:01"]], *[[]] * 6], "closed": [], "instead": []}
    with pytest.raises(Invalid, match="Open longer, or promise less"):
        calendars.change(s, calendar, seldom, by=BOB, now=now)


def test_a_calendar_by_which_a_threshold_would_take_a_lifetime_is_refused(s: Session, now: datetime, calendar: Calendar) -> None:
    an_hour = {"zone": "UTC", "week": [[["09:00", "10:00"]], *[[]] * 6], "closed": [], "instead": []}
    policy = s.scalars(select(Policy)).one()
    terms = {metric: {priority: {"thresholds": ["+8760h"]} for priority in Priority} for metric in ("first_response",)}
    policies.change(s, policies.held(s, policy.id), {"targets": terms}, by=BOB, now=now)
    with pytest.raises(Invalid, match="Open longer, or promise less"):
        calendars.change(s, calendar, an_hour, by=BOB, now=now)


def test_clocks_are_reckoned_again_when_the_rules_of_a_time_zone_changed(
    s: Session, now: datetime, calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = happen(s, now, Moment.ACCEPTED)
    monkeypatch.setattr(zones, "rules_of", lambda zone: zone.encode())
    assert calendar.id in calendars.renew_zones(s, now=now)
    swept(s)
    newest = s.scalars(select(CalendarVersion.id).where(CalendarVersion.calendar_id == calendar.id)).all()[-1]
    assert clock.calendar_version_id == newest
