"""Reckoning clocks again while the desk goes on: nobody waits, nothing is forgotten, nothing is called late that isn't."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.core.priority import Priority
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.sla import actions, policies, queries, rebuild
from app.sla.models import Clock, Happening, Policy, Rebuild
from app.sla.rules import Facts, Moment
from tests.db.sla.known import URGENT, nothing_more, of

HOUR = timedelta(hours=1)
MANAGER = (7, "Bob <bob@desk.example>")

pytestmark = pytest.mark.db


def accept(desk: Database, *tickets: int, ago: timedelta = HOUR / 2) -> None:
    with desk.transaction() as s:
        for ticket in tickets:
            actions.happened(s, ticket, Moment.ACCEPTED, at=database_now(s) - ago, facts=URGENT)


def promise(desk: Database, seconds: int) -> None:
    with desk.transaction() as s:
        policy = s.scalars(select(Policy)).one()
        said = {"targets": {"first_response": {"urgent": seconds}}}
        policies.change(s, policies.held(s, policy.id), said, by=MANAGER, now=database_now(s))


def step(desk: Database, limit: int = 500) -> bool:
    with desk.transaction() as s:
        return rebuild.step(s, nothing_more, limit=limit)


def versions(desk: Database) -> dict[int, int]:
    """How many open clocks there are under each version of the policy."""
    with desk.transaction() as s:
        return dict(s.execute(select(Clock.policy_version, func.count()).group_by(Clock.policy_version)).all())


def ended(desk: Database) -> bool:
    with desk.transaction() as s:
        return s.scalar(select(Rebuild.ended_at).order_by(Rebuild.id.desc()).limit(1)) is not None


def test_it_goes_some_clocks_at_a_time_and_ends_when_all_are_done(desk: Database) -> None:
    accept(desk, *range(1, 6))
    promise(desk, 7200)
    seen = []
    while step(desk, limit=4):
        seen.append(versions(desk).get(2, 0))
    assert seen[:2] == [4, 8]
    assert versions(desk) == {2: 10}


def test_what_was_killed_in_the_middle_goes_on_where_it_was(desk: Database) -> None:
    accept(desk, *range(1, 6))
    promise(desk, 7200)
    step(desk, limit=4)
    with desk.transaction() as s:
        rebuild.step(s, nothing_more, limit=4)
        s.rollback()
    assert versions(desk) == {1: 6, 2: 4}
    while step(desk, limit=4):
        pass
    assert versions(desk) == {2: 10}


def test_a_clock_that_somebody_holds_is_passed_over_and_done_at_the_end(desk: Database) -> None:
    accept(desk, 1, 2, 3)
    promise(desk, 7200)
    with desk.transaction() as busy:
        actions.happened(busy, 2, Moment.FACTS_CHANGED, at=database_now(busy), facts=URGENT)
        held = busy.scalars(select(Clock).where(Clock.ticket == 2).with_for_update()).all()
        while step(desk):
            pass
        assert versions(desk) == {1: 2, 2: 4}
        assert {clock.policy_version for clock in held} == {2}
        busy.rollback()
    assert not ended(desk)
    while step(desk):
        pass
    assert versions(desk) == {2: 6}


def test_a_ticket_made_under_the_old_promises_behind_its_back_is_found_before_it_ends(desk: Database) -> None:
    """Its transaction read the promises before they changed, and is committed after the clocks were walked."""
    accept(desk, 1)
    with desk.transaction() as slow:
        plan = queries.plan(slow, URGENT)
        slow.execute(select(func.pg_current_xact_id()))
        promise(desk, 7200)
        while step(desk):
            pass
        assert not ended(desk)
        with pytest.MonkeyPatch.context() as old:
            old.setattr(queries, "plan", lambda *_, **__: plan)
            actions.happened(slow, 2, Moment.ACCEPTED, at=database_now(slow), facts=URGENT)
    assert versions(desk) == {1: 2, 2: 2}
    while step(desk):
        pass
    assert versions(desk) == {2: 4}


def test_one_whose_number_was_passed_before_it_was_there_is_found_too(desk: Database) -> None:
    """A number is taken when a clock is made, and the clock is there when its transaction is over."""
    with desk.transaction() as slow:
        actions.happened(slow, 1, Moment.ACCEPTED, at=database_now(slow), facts=URGENT)
        accept(desk, 2)
        promise(desk, 7200)
        while step(desk):
            pass
        assert versions(desk) == {2: 2}
    while step(desk):
        pass
    assert versions(desk) == {2: 4}
    assert ended(desk)


def test_of_several_workers_one_does_it_and_the_others_do_not_wait(desk: Database) -> None:
    accept(desk, 1)
    promise(desk, 7200)
    with desk.transaction() as one:
        assert rebuild.step(one, nothing_more)
        assert not step(desk)


def test_a_later_change_takes_the_place_of_one_that_is_not_done(desk: Database) -> None:
    accept(desk, *range(1, 6))
    promise(desk, 7200)
    step(desk, limit=4)
    promise(desk, 10_800)
    with desk.transaction() as s:
        assert [job.ended_at is None for job in s.scalars(select(Rebuild).order_by(Rebuild.id))] == [False, True]
    while step(desk):
        pass
    assert versions(desk) == {3: 10}


def test_what_falls_due_before_its_turn_is_reckoned_again_and_not_called_late(desk: Database) -> None:
    accept(desk, *range(1, 6), ago=2 * HOUR)
    promise(desk, 4 * 3600)
    with desk.transaction() as s:
        assert actions.fire_due(s, nothing_more) == []
        assert s.scalar(select(func.count()).select_from(Happening)) == 0
    while step(desk):
        pass
    with desk.transaction() as s:
        assert actions.fire_due(s, nothing_more) == []


def test_a_clock_that_can_not_be_reckoned_holds_up_nobody(desk: Database, caplog: pytest.LogCaptureFixture) -> None:
    accept(desk, 1, 2)
    with desk.transaction() as s:
        s.scalars(select(Clock).order_by(Clock.id)).all()[0].started_at = datetime(9999, 12, 31, 23, tzinfo=UTC)
    promise(desk, 7200)
    while step(desk):
        pass
    assert "can't be reckoned again" in caplog.text
    assert versions(desk) == {1: 1, 2: 3}


def test_every_open_clock_is_looked_at_where_another_policy_may_fit_and_what_is_over_is_not(desk: Database) -> None:
    accept(desk, 1, 2)
    with desk.transaction() as s:
        actions.happened(s, 2, Moment.ENDED, at=database_now(s), facts=URGENT)
    with desk.transaction() as s:
        given = {"name": "Calm", "match": {"tag": ["calm"]}, "targets": {"resolution": {"urgent": 10**6}}}
        policies.add(s, given, by=MANAGER, now=database_now(s))
    asked: list[int] = []

    def calm(_: Session, numbers: Collection[int]) -> Mapping[int, Facts]:
        asked.extend(numbers)
        return {1: of(Priority.URGENT, tag="calm")}

    with desk.transaction() as s:
        rebuild.step(s, calm)
    assert asked == [1]
    with desk.transaction() as s:
        clocks = {(c.ticket, c.metric.value): (c.outcome or c.state, c.target_seconds) for c in s.scalars(select(Clock))}
    assert clocks[1, "resolution"] == ("running", 10**6)
    assert clocks[1, "first_response"][0] == "no_policy"
    assert clocks[2, "resolution"] == ("ended", 8 * 3600)
