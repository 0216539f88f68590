"""What holds for every life of a ticket, under every calendar."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from app.hours.rules import Always, hours
from app.sla.rules import NO_PLAN, Clock, Metric, Moment, Plan, Stretch, after, fire, replay, together
from tests.unit.sla.promises import HOUR, plan

OFFICE = hours(ZoneInfo("Europe/Berlin"), [[["09:00", "12:00"], ["13:00", "17:30"]]] * 5 + [[], []])
NIGHTS = hours(ZoneInfo("America/New_York"), [[["22:00", "06:00"]]] * 7)
START = datetime(2026, 10, 22, 6, tzinfo=UTC)  # before the night when clocks go back

plans = st.builds(
    plan,
    st.sampled_from([HOUR, 4 * HOUR, 8 * HOUR]),
    st.sampled_from([2 * HOUR, 8 * HOUR, 24 * HOUR]),
    version=st.integers(1, 3),
    hours=st.sampled_from([Always(), OFFICE, NIGHTS]),
)
perhaps = plans | st.just(NO_PLAN)
gaps = st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=20)) | st.just(timedelta(0))
steps = st.lists(st.tuples(st.sampled_from([None, *Moment]), gaps), max_size=25)


def lives(steps: list[tuple[Moment | None, timedelta]], under: list[Plan]) -> list[tuple[datetime, dict[Metric, Clock]]]:
    """Each step of a life that began by being accepted; None is a sweep. The policy changes every fifth step."""
    at = START
    clocks = after({}, Moment.ACCEPTED, at, under[0])
    seen = [(at, clocks)]
    for number, (moment, gap) in enumerate(steps):
        at += gap
        if moment is None:
            clocks = {metric: fire(clock, at)[0] for metric, clock in clocks.items()}
        else:
            clocks = after(clocks, moment, at, under[number // 5 % len(under)])
        seen.append((at, clocks))
    return seen


@given(steps, st.lists(perhaps, min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_a_state_kept_step_by_step_equals_the_replay_of_its_segments(
    steps: list[tuple[Moment | None, timedelta]], under: list[Plan]
) -> None:
    for _, clocks in lives(steps, under):
        for clock in clocks.values():
            assert replay(clock) == clock


@given(st.sampled_from([Moment.ACCEPTED, Moment.TAKEN_ON]), steps, plans, st.sets(st.sampled_from(Metric)))
@settings(max_examples=200, deadline=None)
def test_whoever_asks_on_a_ticket_that_was_taken_on_is_owed_an_answer_whatever_else_is_promised(
    begins: Moment, steps: list[tuple[Moment | None, timedelta]], under: Plan, metrics: set[Metric]
) -> None:
    goals = {metric: goal for metric, goal in under.goals.items() if metric in metrics | {Metric.NEXT_RESPONSE}}
    under = replace(under, goals=goals)
    clocks, at = after({}, begins, START, under), START
    for moment, gap in [*steps, (Moment.CUSTOMER_ASKED, timedelta(0))]:
        at += gap
        clocks = after(clocks, moment or Moment.FACTS_CHANGED, at, under)
    answers = [clocks[m] for m in (Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE) if m in clocks]
    assert any(clock.open or clock.away for clock in answers)


standing = st.lists(st.tuples(st.sampled_from([Moment.PAUSED, Moment.RESUMED, Moment.FACTS_CHANGED]), gaps), max_size=12)


@given(standing, plans, st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=400, deadline=None)
def test_a_time_without_any_promise_leaves_no_trace_once_there_is_the_same_again(
    steps: list[tuple[Moment, timedelta]], under: Plan, since: int, until: int
) -> None:
    """Whatever ran or stood still meanwhile. What ended meanwhile ended for good, which is another matter."""
    always = gone = after({}, Moment.ACCEPTED, START, under)
    at = START
    for number, (moment, gap) in enumerate(steps):
        at += gap
        always = after(always, moment, at, under)
        gone = after(gone, moment, at, NO_PLAN if since <= number < until else under)
        assert all(replay(clock) == clock for clock in gone.values())
    back = after(gone, Moment.FACTS_CHANGED, at, under)
    for metric, clock in always.items():
        one, (other, _) = fire(clock, at)[0], fire(back[metric], at)
        for name in ("state", "outcome", "due_at", "breached_at", "next_at", "next_threshold", "dealt"):
            assert getattr(other, name) == getattr(one, name), name
        assert replay(other) == other


@given(steps, plans)
@settings(max_examples=200, deadline=None)
def test_used_and_remaining_time_add_up_to_the_promise(steps: list[tuple[Moment | None, timedelta]], under: Plan) -> None:
    for _, clocks in lives(steps, [under]):
        for clock in clocks.values():
            ran = [s for s in clock.segments if s.kind is Stretch.RUN]
            worked = sum((clock.goal.hours.elapsed(s.from_at, s.to_at) for s in ran), timedelta(0))
            assert worked == clock.consumed
            if clock.running and not clock.breached_at and clock.due_at:
                assert worked + clock.goal.hours.elapsed(clock.anchor_at, clock.due_at) == clock.goal.target


@given(steps, st.lists(perhaps, min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_segments_leave_no_hole_and_do_not_overlap(steps: list[tuple[Moment | None, timedelta]], under: list[Plan]) -> None:
    for _, clocks in lives(steps, under):
        for clock in clocks.values():
            edges = [clock.started_at, *(s.to_at for s in clock.segments)]
            assert [s.from_at for s in clock.segments] == edges[:-1]
            assert clock.anchor_at == edges[-1]


@given(steps, st.lists(plans, min_size=1, max_size=3), st.data())
@settings(max_examples=200, deadline=None)
def test_nothing_is_missed_before_it_is_due_and_nothing_that_is_due_is_forgotten(
    steps: list[tuple[Moment | None, timedelta]], under: list[Plan], data: st.DataObject
) -> None:
    at, clocks = data.draw(st.sampled_from(lives(steps, under)))
    for clock in clocks.values():
        fired, dealt = fire(clock, at)
        assert all(one.at <= at for one in dealt)
        if clock.running and clock.due_at and clock.due_at <= at:
            assert fired.breached_at == clock.due_at
        if fired.running and not fired.breached_at:
            assert fired.next_at is not None
            assert fired.next_at > at


@given(steps, plans)
@settings(max_examples=200, deadline=None)
def test_sweeping_often_or_only_at_the_end_misses_the_same(steps: list[tuple[Moment | None, timedelta]], under: Plan) -> None:
    """Under one policy, what is missed doesn't depend on when somebody looks."""
    often = lives(steps, [under])
    seldom = lives([(m or Moment.FACTS_CHANGED, gap) for m, gap in steps], [under])
    at, last = often[-1]
    for metric, clock in last.items():
        assert fire(clock, at)[0].breached_at == fire(seldom[-1][1][metric], at)[0].breached_at


@given(steps, plans)
@settings(max_examples=200, deadline=None)
def test_no_threshold_of_a_cycle_is_told_twice(steps: list[tuple[Moment | None, timedelta]], under: Plan) -> None:
    told: list[tuple[Metric, int, str]] = []
    clocks, at = after({}, Moment.ACCEPTED, START, under), START
    for moment, gap in steps:
        at += gap
        for metric, clock in clocks.items():
            clocks[metric], dealt = fire(clock, at)
            told += [(metric, clock.cycle, one.threshold) for one in dealt]
        clocks = after(clocks, moment or Moment.FACTS_CHANGED, at, under)
    assert len(told) == len(set(told))


@given(steps, plans, st.permutations(list(Moment)), st.integers(1, len(Moment)), st.data())
@settings(max_examples=200, deadline=None)
def test_what_happens_at_one_instant_has_one_result_in_whatever_order_it_is_told(
    steps: list[tuple[Moment | None, timedelta]], under: Plan, order: list[Moment], count: int, data: st.DataObject
) -> None:
    at, clocks = data.draw(st.sampled_from(lives(steps, [under])))
    some = order[:count]
    once = together(clocks, some, at, under)
    assert together(clocks, data.draw(st.permutations(some)), at, under) == once
    assert all(replay(clock) == clock for clock in once.values())


@given(st.lists(st.tuples(st.integers(1, 600), st.integers(0, 600)), min_size=1, max_size=6), st.data())
@settings(max_examples=200, deadline=None)
def test_in_which_order_it_ran_and_paused_does_not_matter_to_what_is_left(
    stretches: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Round the clock, where a minute is a minute."""
    under = plan()

    def due(order: list[tuple[int, int]]) -> tuple[timedelta, datetime | None]:
        clocks, at = after({}, Moment.ACCEPTED, START, under), START
        for ran, paused in order:
            at += timedelta(minutes=ran)
            clocks = after(clocks, Moment.PAUSED, at, under)
            at += timedelta(minutes=paused)
            clocks = after(clocks, Moment.RESUMED, at, under)
        clock = clocks[Metric.RESOLUTION]
        return clock.consumed, None if clock.breached_at else clock.due_at

    used, left = due(stretches)
    again, also = due(data.draw(st.permutations(stretches)))
    assert used == again
    assert left == also or used > 8 * HOUR


@given(steps, plans, plans)
@settings(max_examples=200, deadline=None)
def test_another_promise_and_the_first_again_leave_what_was(
    steps: list[tuple[Moment | None, timedelta]], one: Plan, other: Plan
) -> None:
    at, clocks = lives(steps, [one])[-1]
    there = after(clocks, Moment.FACTS_CHANGED, at, other)
    back = after(there, Moment.FACTS_CHANGED, at, one)
    assert {m: c.due_at for m, c in back.items()} == {m: c.due_at for m, c in clocks.items()}
