"""Clocks in their tables: what happens to tickets, and what is read back."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions, policies, queries
from app.sla.models import Calendar, Clock, Policy, Segment
from app.sla.rules import Metric, Moment, State
from tests.db.sla.known import nothing_more, of

HOUR = timedelta(hours=1)

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("standard")]


def happen(
    s: Session, at: datetime, *moments: Moment, ticket: int = 1, priority: Priority = Priority.MEDIUM
) -> dict[Metric, Clock]:
    for moment in moments:
        actions.happened(s, ticket, moment, at=at, facts=of(priority))
    s.expire_all()
    rows = s.scalars(select(Clock).where(Clock.ticket == ticket).order_by(Clock.cycle))
    return {row.metric: row for row in rows}


def test_the_standard_promises_are_made_once(s: Session, now: datetime) -> None:
    actions.ensure_defaults(s, now=now)
    assert [p.name for p in queries.policies(s)] == ["Standard"]
    assert s.scalar(select(func.count()).select_from(Calendar)) == 1
    told = queries.told(s.connection(), queries.policies(s)[0].id)
    promised = {m: {p: terms["seconds"] for p, terms in by_priority.items()} for m, by_priority in told["targets"].items()}
    assert promised["first_response"] == {"low": 86400, "medium": 28800, "high": 14400, "urgent": 3600}
    assert promised["next_response"] == promised["first_response"]
    assert promised["resolution"] == {"low": 432000, "medium": 259200, "high": 86400, "urgent": 28800}
    assert promised["periodic_update"] == {}
    assert told["starts"] == "accepted"


def test_what_was_made_of_the_standard_promises_survives_the_next_start(s: Session, now: datetime) -> None:
    policy = queries.policies(s)[0]
    policy.name = "Gold"
    actions.ensure_defaults(s, now=now)
    assert [p.name for p in queries.policies(s)] == ["Gold"]


def test_nothing_runs_before_the_ticket_is_accepted_and_everything_is_right_after_it(s: Session, now: datetime) -> None:
    assert happen(s, now, Moment.CREATED) == {}
    clocks = happen(s, now + HOUR, Moment.ACCEPTED)
    assert clocks[Metric.FIRST_RESPONSE].due_at == now + 9 * HOUR
    assert clocks[Metric.FIRST_RESPONSE].next_at == now + 7 * HOUR
    assert clocks[Metric.RESOLUTION].due_at == now + 73 * HOUR


def test_a_pause_moves_the_due_time_and_is_kept_as_a_segment(s: Session, now: datetime) -> None:
    happen(s, now, Moment.ACCEPTED)
    paused = happen(s, now + HOUR, Moment.PAUSED)[Metric.RESOLUTION]
    assert (paused.state, paused.due_at, paused.next_at) == (State.PAUSED, None, None)
    resumed = happen(s, now + 4 * HOUR, Moment.RESUMED)[Metric.RESOLUTION]
    assert (resumed.state, resumed.due_at, resumed.consumed) == (State.RUNNING, now + 75 * HOUR, HOUR)
    kept = s.scalars(select(Segment).where(Segment.clock_id == resumed.id).order_by(Segment.from_at)).all()
    assert [(k.kind, k.from_at, k.to_at) for k in kept] == [
        ("run", now, now + HOUR),
        ("pause", now + HOUR, now + 4 * HOUR),
    ]


def test_each_exchange_is_a_row_of_its_own(s: Session, now: datetime) -> None:
    happen(s, now, Moment.ACCEPTED, Moment.AGENT_ANSWERED)
    for hour in (1, 3):
        happen(s, now + hour * HOUR, Moment.CUSTOMER_SPOKE)
        happen(s, now + (hour + 1) * HOUR, Moment.AGENT_ANSWERED)
    rows = s.scalars(select(Clock).where(Clock.metric == Metric.NEXT_RESPONSE).order_by(Clock.cycle)).all()
    assert [(r.cycle, r.state, r.started_at) for r in rows] == [(1, "met", now + HOUR), (2, "met", now + 3 * HOUR)]


def test_reopening_goes_on_with_the_same_row(s: Session, now: datetime) -> None:
    done = happen(s, now, Moment.ACCEPTED, Moment.RESOLVED)[Metric.RESOLUTION]
    again = happen(s, now + 2 * HOUR, Moment.REOPENED, Moment.CUSTOMER_SPOKE)
    assert (again[Metric.RESOLUTION].id, again[Metric.RESOLUTION].due_at) == (done.id, now + 74 * HOUR)
    assert again[Metric.NEXT_RESPONSE].cycle == 1


def test_another_priority_is_another_promise_from_the_same_start(s: Session, now: datetime) -> None:
    happen(s, now, Moment.ACCEPTED)
    first = happen(s, now + HOUR / 2, Moment.FACTS_CHANGED, priority=Priority.URGENT)[Metric.FIRST_RESPONSE]
    assert (first.started_at, first.due_at, first.priority, first.target_seconds) == (now, now + HOUR, "urgent", 3600)


def test_one_tickets_clocks_leave_anothers_alone(s: Session, now: datetime) -> None:
    happen(s, now, Moment.ACCEPTED, ticket=1)
    happen(s, now, Moment.ACCEPTED, ticket=2)
    happen(s, now + HOUR, Moment.ENDED, ticket=1)
    assert happen(s, now + HOUR, ticket=2)[Metric.RESOLUTION].state is State.RUNNING


def test_the_clocks_of_a_ticket_are_told_with_their_arithmetic(s: Session, now: datetime) -> None:
    happen(s, now, Moment.ACCEPTED)
    told = queries.clocks(s, 1)
    assert [clock["metric"] for clock in told] == ["first_response", "resolution"]
    assert told[0]["due_at"] == (now + 8 * HOUR).isoformat()
    assert (told[0]["state"], told[0]["cycle"], told[0]["target_seconds"]) == ("running", 1, 28800)
    assert told[0]["explanation"][0].startswith("promised 8 h (medium priority) from ")
    assert told[0]["explanation"][-1].startswith("due ")


def test_a_list_shows_the_most_urgent_open_clock_of_each_ticket(s: Session, now: datetime) -> None:
    happen(s, now, Moment.ACCEPTED, ticket=1)
    happen(s, now, Moment.ACCEPTED, Moment.AGENT_ANSWERED, ticket=2)
    happen(s, now, Moment.ACCEPTED, Moment.ENDED, ticket=3)
    found = queries.due(s, [1, 2, 3, 4])
    assert found[1] == {"due_at": now + 8 * HOUR, "breached": False, "metric": "first_response"}
    assert found[2]["metric"] == "resolution"
    assert set(found) == {1, 2}
    assert queries.due(s, []) == {}


def test_the_first_policy_that_fits_is_the_tickets_policy(s: Session, now: datetime) -> None:
    only_urgent = Policy(
        name="Urgent", position=0, match={"priority": ["urgent"]}, starts="created", version=1, active=True, changed_at=now
    )
    s.add(only_urgent)
    s.flush()
    assert queries.plan(s, of(Priority.URGENT)).starts == "created"
    assert queries.plan(s, of(Priority.LOW)).starts == "accepted"
    only_urgent.active = False
    assert queries.plan(s, of(Priority.URGENT)).starts == "accepted"


def test_a_ticket_that_was_away_goes_on_where_it_stood(s: Session, now: datetime) -> None:
    first = happen(s, now, Moment.ACCEPTED)[Metric.FIRST_RESPONSE]
    away = happen(s, now + HOUR, Moment.SET_ASIDE)[Metric.FIRST_RESPONSE]
    assert (away.outcome, away.next_at) == ("trashed", None)
    assert queries.due(s, [1]) == {}
    assert [(told["state"], told["outcome"]) for told in queries.clocks(s, 1)] == [("stopped", "trashed")] * 2
    back = happen(s, now + 11 * HOUR, Moment.TAKEN_BACK)[Metric.FIRST_RESPONSE]
    assert (back.id, back.outcome, back.state, back.due_at) == (first.id, None, State.RUNNING, now + 18 * HOUR)
    assert queries.drifts(s, after=0, limit=10) == ([], None)
    kept = s.scalars(select(Segment).where(Segment.clock_id == back.id).order_by(Segment.from_at))
    assert [k.kind for k in kept] == ["run", "away"]


def test_nothing_is_told_of_a_ticket_that_is_away(s: Session, now: datetime) -> None:
    happen(s, now - 100 * HOUR, Moment.ACCEPTED)
    happen(s, now - 99 * HOUR, Moment.MERGED)
    assert actions.fire_due(s, nothing_more) == []
    happen(s, now - 90 * HOUR, Moment.TAKEN_BACK)
    assert {one.metric for one in actions.fire_due(s, nothing_more)} == {Metric.FIRST_RESPONSE, Metric.RESOLUTION}


def test_the_update_that_an_answer_brings_is_fulfilled_by_the_next_one(s: Session, now: datetime) -> None:
    targets = {"periodic_update": {"medium": {"seconds": 7200, "pauses": ["waiting_customer"]}}}
    policies.change(s, policies.held(s, queries.policies(s)[0].id), {"targets": targets}, by=(7, "Bob"), now=now)
    happen(s, now, Moment.ACCEPTED)
    for hour in (1, 2, 9):
        happen(s, now + hour * HOUR, Moment.AGENT_ANSWERED)
    rows = s.scalars(select(Clock).where(Clock.metric == Metric.PERIODIC_UPDATE).order_by(Clock.cycle)).all()
    assert [(r.cycle, r.state, r.outcome, r.started_at, r.breached_at) for r in rows] == [
        (1, "met", "met", now + HOUR, None),
        (2, "stopped", "late", now + 2 * HOUR, now + 4 * HOUR),
        (3, "running", None, now + 9 * HOUR, None),
    ]
    assert queries.drifts(s, after=0, limit=100) == ([], None)
