"""A clock that was put is told from one that went on, and from a worker that slept."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.sla.rules.timekeeping import Reading, stepped
from tests.unit.sla.promises import HOUR, MONDAY, SECOND


def reading(wall: timedelta, machine: float, *, asked_for: float = 0.001) -> Reading:
    return Reading(MONDAY + wall, machine, machine + asked_for)


def test_an_hour_forward_is_an_hour_forward() -> None:
    assert stepped(reading(0 * SECOND, 0), reading(HOUR + SECOND, 1, asked_for=0)) == HOUR - timedelta(milliseconds=0)


def test_an_hour_back_is_an_hour_back() -> None:
    found = stepped(reading(0 * SECOND, 0), reading(SECOND - HOUR, 1))
    assert found is not None
    assert abs(found + HOUR) < timedelta(seconds=0.01)


def test_a_database_that_answers_late_is_no_step() -> None:
    assert stepped(reading(0 * SECOND, 0, asked_for=30), reading(3 * SECOND, 31)) is None


def test_a_clock_that_is_a_little_fast_is_no_step_over_a_day() -> None:
    assert stepped(reading(0 * SECOND, 0), reading(timedelta(seconds=86400 + 40), 86400)) is None


@given(st.floats(0, 10**6), st.floats(0, 60), st.floats(0, 60), st.floats(0, 1), st.floats(0, 1))
def test_time_that_only_goes_on_is_never_a_step(passed: float, first: float, second: float, a: float, b: float) -> None:
    """Whenever within each question the database read its clock."""
    one = Reading(MONDAY + timedelta(seconds=first * a), 0, first)
    other = Reading(MONDAY + timedelta(seconds=first + passed + second * b), first + passed, first + passed + second)
    assert stepped(one, other) is None


@given(st.floats(3, 10**7), st.booleans(), st.floats(0, 1000))
def test_three_seconds_and_more_are_always_seen(by: float, forward: bool, passed: float) -> None:
    put = by if forward else -by
    found = stepped(reading(0 * SECOND, 0), reading(timedelta(seconds=passed + put), passed))
    assert found is not None
    assert abs(found.total_seconds() - put) < 0.1
