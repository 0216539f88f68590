"""Thresholds by name: shares of what was promised, and times before and after it is due."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sla.rules import BREACH, Kind, Metric, State, fire, replay, retarget
from app.sla.rules.clock import Clock, fulfil, pause, resume, start
from app.sla.rules.thresholds import BadThreshold, normal, ordered, point
from tests.unit.sla.promises import HOUR, MINUTE, MONDAY, goal

names = st.one_of(
    st.integers(1, 300).map(lambda share: f"{share}%"),
    st.builds(
        lambda sign, number, unit: normal(f"{sign}{number}{unit}"),
        st.sampled_from("+-"),
        st.integers(1, 90),
        st.sampled_from("mh"),
    ),
)


def begun(*thresholds: str, target: timedelta = 4 * HOUR) -> Clock:
    return start(Metric.RESOLUTION, 1, goal(target, thresholds=thresholds), MONDAY)


def told(clock: Clock) -> tuple[Clock, list[tuple[Kind, str, timedelta]]]:
    """Everything that is told of a clock that is left alone."""
    found = []
    while clock.next_at:
        clock, dealt = fire(clock, clock.next_at)
        found += [(one.kind, one.threshold, one.at - MONDAY) for one in dealt]
    return clock, found


def test_a_name_is_kept_as_short_as_it_can_be() -> None:
    assert [normal(raw) for raw in ("75 %", "-30M", "+60m", "+90m", "-120m", "+0m")] == [
        "75%",
        "-30m",
        "+1h",
        "+90m",
        "-2h",
        "100%",
    ]
    assert (normal("+8760h"), normal("1000%")) == ("+8760h", "1000%"), "the farthest there are"


@pytest.mark.parametrize("raw", ["", "75", "0%", "-5%", "1001%", "30m", "+1d", "+1.5h", "-99999h", "+8761h", "+-1h", "75%%"])
def test_what_is_no_threshold_is_refused_with_what_one_looks_like(raw: str) -> None:
    with pytest.raises(BadThreshold, match="threshold"):
        normal(raw)


def test_they_fall_in_the_order_of_the_time_used_and_the_breach_is_always_among_them() -> None:
    assert ordered(["+1h", "90%", "-30m", "50%"], 10 * HOUR) == ("50%", "90%", "-30m", BREACH, "+1h")
    assert ordered(["+1h", "90%", "-30m", "50%"], 4 * HOUR) == ("50%", "-30m", "90%", BREACH, "+1h")


def test_one_that_would_fall_before_the_start_never_does() -> None:
    assert ordered(["-30m", "50%"], 20 * MINUTE) == ("50%", BREACH)
    assert ordered(["-30m"], 30 * MINUTE) == (BREACH,), "nor one at the very start"


def test_times_before_and_after_are_working_time_and_each_is_told_in_turn() -> None:
    clock, found = told(begun("75%", "-30m", "+1h", "150%"))
    assert found == [
        (Kind.WARNING, "75%", 3 * HOUR),
        (Kind.WARNING, "-30m", 3.5 * HOUR),
        (Kind.BREACH, BREACH, 4 * HOUR),
        (Kind.REMINDER, "+1h", 5 * HOUR),
        (Kind.REMINDER, "150%", 6 * HOUR),
    ]
    assert (clock.state, clock.breached_at, clock.next_threshold) == (State.BREACHED_OPEN, MONDAY + 4 * HOUR, None)


def test_of_all_that_passed_the_breach_and_the_highest_after_it_are_told() -> None:
    _, dealt = fire(begun("75%", "+1h", "+2h"), MONDAY + 9 * HOUR)
    assert [(one.kind, one.threshold) for one in dealt] == [
        (Kind.SKIPPED, "75%"),
        (Kind.BREACH, BREACH),
        (Kind.SKIPPED, "+1h"),
        (Kind.REMINDER, "+2h"),
    ]


def test_a_reminder_waits_while_the_clock_stands_still() -> None:
    missed, _ = fire(begun("+1h"), MONDAY + 4 * HOUR)
    paused = pause(missed, MONDAY + 4.5 * HOUR)
    assert (paused.next_at, paused.due_at) == (None, MONDAY + 4 * HOUR)
    assert resume(paused, MONDAY + 10 * HOUR).next_at == MONDAY + 10.5 * HOUR


def test_what_is_done_is_reminded_of_no_more() -> None:
    missed, _ = fire(begun("+1h"), MONDAY + 4 * HOUR)
    done = fulfil(missed, MONDAY + 4.5 * HOUR)
    assert (done.next_at, fire(done, MONDAY + 99 * HOUR)) == (None, (done, []))


def test_what_was_told_under_one_promise_is_not_told_under_another_and_what_was_not_is() -> None:
    warned, _ = fire(begun("75%"), MONDAY + 3 * HOUR)
    longer = retarget(warned, goal(8 * HOUR, version=2, thresholds=("50%", "75%")), MONDAY + 3 * HOUR)
    assert (longer.next_threshold, longer.next_at) == ("50%", MONDAY + 4 * HOUR)
    back = retarget(longer, warned.goal, MONDAY + 3 * HOUR)
    assert back == warned


def test_below_a_breach_that_stands_nothing_new_is_told() -> None:
    missed, _ = fire(begun(), MONDAY + 4 * HOUR)
    assert retarget(missed, goal(4 * HOUR, version=2, thresholds=("50%",)), MONDAY + 5 * HOUR).next_at is None


@given(st.lists(names, max_size=10), st.integers(1, 400))
def test_any_thresholds_are_told_once_in_order_and_the_replay_agrees(thresholds: list[str], minutes: int) -> None:
    target = minutes * MINUTE
    clock, found = told(begun(*thresholds, target=target))
    assert replay(clock) == clock
    assert [name for _, name, _ in found] == list(ordered(thresholds, target))
    assert [at for _, _, at in found] == sorted(point(name, target) for _, name, _ in found)
