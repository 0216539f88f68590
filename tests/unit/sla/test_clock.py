"""Telling what passed, and changing the promise of a clock that runs."""

from datetime import timedelta

from app.sla.rules import BREACH, Dealt, Kind, Metric, State, fire, replay, retarget
from app.sla.rules.clock import Clock, fulfil, pause, resume, start
from tests.unit.sla.promises import HOUR, MINUTE, MONDAY, SECOND, goal

FOUR, EIGHT, TWO = goal(4 * HOUR), goal(8 * HOUR, version=2), goal(2 * HOUR, version=3)


def begun(promise: timedelta = 4 * HOUR) -> Clock:
    return start(Metric.RESOLUTION, 1, goal(promise), MONDAY)


def test_nothing_is_told_before_its_instant() -> None:
    clock = begun()
    assert fire(clock, MONDAY + 3 * HOUR - timedelta(microseconds=1)) == (clock, [])


def test_the_warning_is_told_at_three_quarters() -> None:
    clock, dealt = fire(begun(), MONDAY + 3 * HOUR)
    assert dealt == [Dealt(Kind.WARNING, "75%", MONDAY + 3 * HOUR)]
    assert (clock.state, clock.breached_at) == (State.RUNNING, None)


def test_a_breach_is_recorded_at_the_due_time_however_late_it_is_noticed() -> None:
    warned, _ = fire(begun(), MONDAY + 3 * HOUR)
    clock, dealt = fire(warned, MONDAY + 9 * HOUR)
    assert dealt == [Dealt(Kind.BREACH, BREACH, MONDAY + 4 * HOUR)]
    assert (clock.state, clock.breached_at, clock.next_at) == (State.BREACHED_OPEN, MONDAY + 4 * HOUR, None)


def test_of_two_that_passed_only_the_breach_is_told() -> None:
    _, dealt = fire(begun(), MONDAY + 5 * HOUR)
    assert [(one.kind, one.threshold) for one in dealt] == [(Kind.SKIPPED, "75%"), (Kind.BREACH, BREACH)]


def test_each_threshold_is_waited_for_in_turn() -> None:
    clock = start(Metric.RESOLUTION, 1, goal(10 * HOUR, thresholds=("50%", "75%", "90%")), MONDAY)
    told = []
    while clock.next_at:
        clock, dealt = fire(clock, clock.next_at)
        told += [(one.threshold, one.at - MONDAY) for one in dealt]
    assert told == [("50%", 5 * HOUR), ("75%", 7.5 * HOUR), ("90%", 9 * HOUR), (BREACH, 10 * HOUR)]


def test_nothing_is_told_twice() -> None:
    clock, _ = fire(begun(), MONDAY + 5 * HOUR)
    assert fire(clock, MONDAY + 50 * HOUR) == (clock, [])


def test_a_warning_less_than_a_second_before_the_breach_is_not_told() -> None:
    clock, dealt = fire(begun(3 * SECOND), MONDAY + 2.25 * SECOND)
    assert [one.kind for one in dealt] == [Kind.SKIPPED]
    assert clock.next_threshold == BREACH
    assert [one.kind for one in fire(begun(4 * SECOND), MONDAY + 3 * SECOND)[1]] == [Kind.WARNING], "a second is enough"


def test_a_longer_promise_takes_a_breach_back_and_the_new_due_time_is_watched() -> None:
    missed, _ = fire(begun(), MONDAY + 5 * HOUR)
    clock = retarget(missed, EIGHT, MONDAY + 5 * HOUR)
    assert (clock.state, clock.breached_at, clock.due_at) == (State.RUNNING, None, MONDAY + 8 * HOUR)
    assert (clock.next_threshold, clock.next_at) == (BREACH, MONDAY + 8 * HOUR)


def test_a_shorter_promise_is_missed_where_it_would_have_been() -> None:
    clock = retarget(begun(), TWO, MONDAY + 3 * HOUR)
    assert clock.due_at == MONDAY + 2 * HOUR
    told, dealt = fire(clock, MONDAY + 3 * HOUR)
    assert (told.breached_at, dealt[-1].kind) == (MONDAY + 2 * HOUR, Kind.BREACH)


def test_another_promise_that_is_missed_as_well_is_not_told_again() -> None:
    missed, _ = fire(begun(), MONDAY + 9 * HOUR)
    clock = retarget(missed, EIGHT, MONDAY + 9 * HOUR)
    assert (clock.breached_at, clock.next_at, clock.state) == (MONDAY + 8 * HOUR, None, State.BREACHED_OPEN)


def test_another_promise_and_back_restores_the_due_time() -> None:
    clock = resume(pause(begun(), MONDAY + HOUR), MONDAY + 2 * HOUR)
    there = retarget(clock, EIGHT, MONDAY + 3 * HOUR)
    assert retarget(there, clock.goal, MONDAY + 3 * HOUR) == clock


def test_a_warning_already_told_is_not_told_under_another_promise() -> None:
    warned, _ = fire(begun(), MONDAY + 3 * HOUR)
    assert retarget(warned, EIGHT, MONDAY + 3 * HOUR).next_threshold == BREACH


def test_an_answer_just_in_time_takes_back_a_breach_that_was_told_too_early() -> None:
    """Its transaction began in time, and a sweep came between that and its commit."""
    told, _ = fire(begun(), MONDAY + 4 * HOUR)
    clock = fulfil(told, MONDAY + 4 * HOUR - MINUTE)
    assert (clock.state, clock.breached_at, clock.next_at) == (State.MET, None, None)


def test_a_pause_just_in_time_takes_it_back_too_and_the_rest_is_still_owed() -> None:
    told, _ = fire(begun(), MONDAY + 4 * HOUR)
    clock = resume(pause(told, MONDAY + 4 * HOUR - MINUTE), MONDAY + 6 * HOUR)
    assert (clock.state, clock.due_at, clock.next_at) == (State.RUNNING, MONDAY + 6 * HOUR + MINUTE, MONDAY + 6 * HOUR + MINUTE)


def test_a_replay_finds_what_was_tampered_with() -> None:
    clock = resume(pause(begun(), MONDAY + HOUR), MONDAY + 2 * HOUR)
    wrong = Clock(**{**vars(clock), "consumed": 2 * HOUR})
    assert replay(clock) == clock
    assert replay(wrong) == clock
