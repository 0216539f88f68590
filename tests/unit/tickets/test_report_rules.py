"""Periods: every instant of the days asked for lies in exactly one of them."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.tickets.reports.rules import MOST_PERIODS, Span, Unit, running

ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kolkata", "Africa/Cairo", "Australia/Lord_Howe"]
DAY = timedelta(days=1)


def belongs_to(day: date, unit: Unit) -> object:
    return {Unit.DAY: day, Unit.WEEK: day.isocalendar()[:2], Unit.MONTH: (day.year, day.month)}[unit]


@given(
    first=st.dates(date(1990, 1, 1), date(2040, 1, 1)),
    days=st.integers(0, 800),
    unit=st.sampled_from(Unit),
    zone=st.sampled_from(ZONES),
    part=st.floats(0, 1, exclude_max=True),
)
def test_every_instant_is_in_the_period_that_its_day_belongs_to(
    first: date, days: int, unit: Unit, zone: str, part: float
) -> None:
    span = Span(first, first + days * DAY, unit, ZoneInfo(zone))
    edges, starts = span.edges, span.starts
    assert len(edges) == len(starts) + 1
    assert all(before <= after for before, after in pairwise(edges))
    instant = edges[0] + (edges[-1] - edges[0]) * part
    assume(instant < edges[-1])
    local = instant.astimezone(ZoneInfo(zone)).date()
    period = starts[bisect_right(edges, instant) - 1]
    assert period <= local
    assert belongs_to(period, unit) == belongs_to(local, unit)


def test_a_day_on_which_clocks_change_is_as_long_as_it_is() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert Span(date(2026, 3, 29), date(2026, 3, 29), Unit.DAY, berlin).edges == [
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    ]


def test_the_first_and_the_last_week_may_be_cut_short() -> None:
    assert Span(date(2026, 3, 4), date(2026, 3, 17), Unit.WEEK, UTC).starts == [
        date(2026, 3, 4), date(2026, 3, 9), date(2026, 3, 16),
    ]  # fmt: skip


@pytest.mark.parametrize(("unit", "days", "fine"), [(Unit.DAY, MOST_PERIODS, True), (Unit.DAY, MOST_PERIODS + 1, False)])
def test_there_are_only_so_many_periods(unit: Unit, days: int, fine: bool) -> None:
    span = Span(date(2026, 1, 1), date(2026, 1, 1) + (days - 1) * DAY, unit, UTC)
    assert (span.problem() is None) is fine


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 9)), unique_by=lambda step: step[0]))
def test_what_is_there_is_the_sum_of_all_steps_so_far(steps: list[tuple[int, int]]) -> None:
    assert running(steps, 5) == [sum(step for number, step in steps if number <= period) for period in range(1, 6)]
