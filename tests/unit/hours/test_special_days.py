"""Holidays, half days, extra openings and versions: what they do to deadlines, and which of them are refused."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.hours.rules import MOST_SPANS, MOST_SPECIAL, Always, BadHours, Hours, NeverReached, Part, checked, composed, days, hours
from tests.unit.hours.zones import zone

HOUR = timedelta(hours=1)
OFFICE = [[["09:00", "12:00"], ["13:00", "17:00"]]] * 5 + [[], []]
ROUND_THE_CLOCK = [[["00:00", "24:00"]]] * 7
NIGHTS = [[["22:00", "06:00"]]] * 7
MONDAY = date(2026, 12, 21)
EVERY_DATE = [(date(2000, 1, 1) + timedelta(days=n)).isoformat()[5:] for n in range(366)]
EVER = datetime(1970, 1, 1, tzinfo=UTC)

lengths = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=12))
dates = st.dates(min_value=date(2026, 12, 1), max_value=date(2027, 1, 31))
weeks = st.sampled_from([OFFICE, ROUND_THE_CLOCK, NIGHTS])
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia"])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def closed(*found: date | str) -> list[dict[str, str]]:
    return [
        {"date": day.isoformat(), "name": "holiday"} if isinstance(day, date) else {"every": day, "name": "holiday"}
        for day in dict.fromkeys(found)
    ]


def instead(day: str, *pairs: tuple[str, str], name: str = "different") -> list[dict[str, Any]]:
    key = "every" if len(day) == 5 else "date"
    return [{key: day, "name": name, "hours": [list(pair) for pair in pairs]}]


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    return utc("2026-12-01T00:00") + draw(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=50)))


@st.composite
def edited(draw: st.DrawFn) -> tuple[Hours, Hours, datetime]:
    """A calendar, the same after an edit, and when the edit begins to hold."""
    there = zone(draw(zones))
    before = days(there, draw(weeks), closed(*draw(st.lists(dates, max_size=3))))
    after = days(there, draw(weeks), closed(*draw(st.lists(dates, max_size=3))))
    at = draw(moments())
    return composed([(EVER, before)]), composed([(EVER, before), (at, after)]), at


@given(weeks, zones, st.lists(dates, max_size=8), moments(), lengths)
@settings(max_examples=80, deadline=None)
def test_what_elapses_until_a_deadline_is_its_length(
    week: list[list[list[str]]], key: str, off: list[date], at: datetime, length: timedelta
) -> None:
    calendar = hours(zone(key), week, closed(*off))
    assert calendar.elapsed(at, calendar.deadline(at, length)) == length


@given(weeks, zones, st.lists(dates, max_size=8), dates, moments(), lengths)
@settings(max_examples=80, deadline=None)
def test_a_holiday_never_brings_a_deadline_forward(
    week: list[list[list[str]]], key: str, off: list[date], another: date, at: datetime, length: timedelta
) -> None:
    without, with_it = (hours(zone(key), week, closed(*days)) for days in (off, [*off, another]))
    assert with_it.deadline(at, length) >= without.deadline(at, length)


@given(edited(), moments(), lengths, lengths)
@settings(max_examples=80, deadline=None)
def test_a_longer_promise_is_never_due_earlier(
    found: tuple[Hours, Hours, datetime], at: datetime, length: timedelta, more: timedelta
) -> None:
    _, calendar, _ = found
    assert calendar.deadline(at, length + more) >= calendar.deadline(at, length)


@given(edited(), moments(), lengths, lengths)
@settings(max_examples=80, deadline=None)
def test_spans_add_up_over_versions(
    found: tuple[Hours, Hours, datetime], a: datetime, first: timedelta, second: timedelta
) -> None:
    _, calendar, _ = found
    b, c = a + first, a + first + second
    assert calendar.elapsed(a, b) + calendar.elapsed(b, c) == calendar.elapsed(a, c)


@given(edited(), moments(), lengths)
@settings(max_examples=80, deadline=None)
def test_an_edit_changes_nothing_before_it_holds(found: tuple[Hours, Hours, datetime], a: datetime, length: timedelta) -> None:
    before, after, at = found
    end = min(a + length, at)
    assert after.elapsed(a, end) == before.elapsed(a, end)


@given(edited(), moments(), lengths)
@settings(max_examples=80, deadline=None)
def test_an_edit_that_is_taken_back_from_its_beginning_changes_nothing(
    found: tuple[Hours, Hours, datetime], at: datetime, length: timedelta
) -> None:
    there = zone("Europe/Berlin")
    first, second = days(there, OFFICE), days(there, NIGHTS)
    edit = found[2]
    once = composed([(EVER, first)])
    back = composed([(EVER, first), (edit, second), (edit, first)])
    assert back.deadline(at, length) == once.deadline(at, length)


@given(edited(), moments(), lengths, st.integers(min_value=1, max_value=9))
@settings(max_examples=80, deadline=None)
def test_the_parts_of_a_span_are_all_of_it(
    found: tuple[Hours, Hours, datetime], at: datetime, length: timedelta, most: int
) -> None:
    _, calendar, _ = found
    parts = calendar.parts(at, at + length, most=most)
    assert len(parts) <= most
    assert sum((part.length for part in parts), timedelta(0)) == calendar.elapsed(at, at + length)


def test_a_holiday_closes_its_day() -> None:
    calendar = hours(zone("Europe/Berlin"), OFFICE, closed(date(2026, 12, 25)))
    assert calendar.deadline(utc("2026-12-24T15:00"), 2 * HOUR) == utc("2026-12-28T09:00")


def test_a_day_of_every_year_is_closed_every_year() -> None:
    calendar = hours(UTC, ROUND_THE_CLOCK, closed("12-25"))
    for year in (1999, 2026, 2044):
        assert calendar.elapsed(utc(f"{year}-12-24T00:00"), utc(f"{year}-12-27T00:00")) == 48 * HOUR


def test_the_leap_day_is_closed_in_leap_years() -> None:
    calendar = hours(UTC, ROUND_THE_CLOCK, closed("02-29"))
    assert calendar.elapsed(utc("2028-02-28T00:00"), utc("2028-03-02T00:00")) == 48 * HOUR
    assert calendar.elapsed(utc("2027-02-28T00:00"), utc("2027-03-02T00:00")) == 48 * HOUR


def test_a_night_goes_on_into_a_holiday_and_does_not_begin_on_it() -> None:
    calendar = hours(UTC, NIGHTS, closed(date(2026, 12, 25)))
    assert calendar.elapsed(utc("2026-12-24T12:00"), utc("2026-12-26T12:00")) == 8 * HOUR


def test_a_half_day_has_its_own_hours() -> None:
    calendar = hours(UTC, OFFICE, instead=instead("2026-12-24", ("09:00", "11:30")))
    assert calendar.elapsed(utc("2026-12-24T00:00"), utc("2026-12-25T00:00")) == 2.5 * HOUR


def test_an_extra_opening_opens_a_sunday() -> None:
    calendar = hours(UTC, OFFICE, instead=instead("2026-12-20", ("10:00", "14:00")))
    assert calendar.deadline(utc("2026-12-18T17:00"), HOUR) == utc("2026-12-20T11:00")


def test_a_date_counts_before_a_day_of_every_year() -> None:
    calendar = hours(UTC, OFFICE, closed("12-24"), instead("2026-12-24", ("09:00", "11:00")))
    assert calendar.elapsed(utc("2026-12-24T00:00"), utc("2026-12-25T00:00")) == 2 * HOUR
    assert calendar.elapsed(utc("2025-12-24T00:00"), utc("2025-12-25T00:00")) == timedelta(0)


def test_hours_and_zone_may_change_from_an_instant_on() -> None:
    calendar = composed([(EVER, days(UTC, OFFICE)), (utc("2026-12-22T10:00"), days(zone("Asia/Kathmandu"), OFFICE))])
    assert calendar.elapsed(utc("2026-12-22T00:00"), utc("2026-12-23T00:00")) == HOUR + 1.25 * HOUR
    assert calendar.elapsed(utc("2026-12-21T00:00"), utc("2026-12-22T00:00")) == 7 * HOUR


def test_a_version_from_earlier_replaces_all_that_was_said_from_there_on() -> None:
    weekend = [[], [], [], [], [], [["00:00", "24:00"]], []]
    calendar = composed(
        [(EVER, days(UTC, OFFICE)), (utc("2027-01-04T00:00"), days(UTC, weekend)), (utc("2026-12-21T00:00"), days(UTC, NIGHTS))]
    )
    assert calendar.elapsed(utc("2026-12-14T00:00"), utc("2026-12-21T00:00")) == 35 * HOUR
    assert calendar.elapsed(utc("2027-01-05T00:00"), utc("2027-01-06T00:00")) == 8 * HOUR


def test_the_first_version_holds_for_all_that_was_before_it() -> None:
    calendar = composed([(utc("2026-12-21T00:00"), days(UTC, OFFICE)), (utc("2027-01-04T00:00"), days(UTC, NIGHTS))])
    assert calendar.elapsed(utc("2026-12-14T00:00"), utc("2026-12-21T00:00")) == 35 * HOUR


def test_round_the_clock_again_is_plain_time() -> None:
    always = days(zone("Europe/Berlin"), ROUND_THE_CLOCK)
    assert isinstance(composed([(EVER, days(UTC, OFFICE)), (EVER, always)]), Always)
    calendar = composed([(EVER, days(UTC, OFFICE)), (utc("2026-12-19T00:00"), always)])
    assert calendar.deadline(utc("2026-12-18T16:00"), 2 * HOUR) == utc("2026-12-19T01:00")


def test_two_hours_a_year_are_enough_and_what_is_never_reached_is_said() -> None:
    calendar = hours(UTC, [[]] * 7, instead=instead("07-04", ("10:00", "12:00")))
    assert calendar.deadline(utc("2026-01-01T00:00"), 20 * HOUR) == utc("2035-07-04T12:00")
    with pytest.raises(NeverReached, match="Open longer, or promise less"):
        calendar.deadline(utc("2026-01-01T00:00"), 500 * HOUR)


def test_the_years_that_are_kept_are_limited_and_all_are_answered() -> None:
    calendar = hours(UTC, OFFICE)
    for year in range(1975, 2100, 5):
        assert calendar.elapsed(utc(f"{year}-01-01T00:00"), utc(f"{year}-01-15T00:00")) == 70 * HOUR
    a, b = date(1975, 1, 1), date(2095, 1, 1)
    workdays = sum((a + timedelta(days=n)).weekday() < 5 for n in range((b - a).days))
    assert calendar.elapsed(utc("1975-01-01T00:00"), utc("2095-01-01T00:00")) == 7 * HOUR * workdays
    assert calendar.deadline(utc("2026-12-21T00:00"), 7 * HOUR) == utc("2026-12-21T17:00")


def test_a_span_is_told_by_its_openings_and_the_days_that_were_not_as_usual() -> None:
    eve = instead("2026-12-24", ("09:00", "12:00"), name="Eve")
    calendar = hours(UTC, OFFICE, [{"date": "2026-12-25", "name": "Christmas"}], eve)
    assert calendar.parts(utc("2026-12-23T14:00"), utc("2026-12-28T10:00")) == [
        Part(utc("2026-12-23T14:00"), utc("2026-12-23T17:00"), 3 * HOUR),
        Part(utc("2026-12-24T09:00"), utc("2026-12-24T12:00"), 3 * HOUR, "Eve"),
        Part(utc("2026-12-25T00:00"), utc("2026-12-26T00:00"), timedelta(0), "Christmas"),
        Part(utc("2026-12-28T09:00"), utc("2026-12-28T10:00"), HOUR),
    ]


def test_a_holiday_on_a_day_that_is_closed_anyway_is_not_worth_a_line() -> None:
    calendar = hours(UTC, OFFICE, closed(date(2026, 12, 26)))
    assert calendar.parts(utc("2026-12-26T00:00"), utc("2026-12-27T00:00")) == []


def test_nights_without_a_gap_are_one_part() -> None:
    calendar = hours(UTC, ROUND_THE_CLOCK, closed("12-25"))
    told = calendar.parts(utc("2026-12-20T00:00"), utc("2026-12-28T00:00"))
    assert [part.length for part in told] == [120 * HOUR, timedelta(0), 48 * HOUR]


def test_a_long_list_ends_with_one_part_for_all_that_follow() -> None:
    told = hours(UTC, OFFICE).parts(utc("2026-12-21T00:00"), utc("2026-12-26T00:00"), most=3)
    assert told[-1] == Part(utc("2026-12-22T09:00"), utc("2026-12-26T00:00"), 28 * HOUR, count=8)


@pytest.mark.parametrize(
    ("off", "other", "reason"),
    [
        (closed("02-30"), [], "'02-30' is no day of a year"),
        (closed("2-3"), [], "'2-3' is no day of a year"),
        ([{"date": "2026-02-29", "name": "x"}], [], "'2026-02-29' is no date that exists"),
        ([{"date": "20261224", "name": "x"}], [], "'20261224' is not a date like 2026-12-24"),
        ([{"date": "1969-12-24", "name": "x"}], [], "from 1970 to 2100"),
        (closed("12-24"), instead("12-24", ("09:00", "12:00")), "12-24 of every year is named twice"),
        (closed(MONDAY), instead("2026-12-21", ("09:00", "12:00")), "2026-12-21 is named twice, as 'holiday' and as 'different'"),
        ([], instead("2026-12-24"), "2026-12-24 has no hours"),
        ([], instead("2026-12-24", ("09:00", "12:00"), ("11:00", "13:00")), "overlap on 2026-12-24: join them"),
        ([], instead("2026-12-24", ("09:00", "09:00")), "no length"),
        ([], instead("2026-12-24", ("20:00", "10:00")), "overlap on 2026-12-25"),
        ([], instead("12-24", ("20:00", "10:00")), "overlap on 2026-12-25"),
        ([], instead("2026-12-24", *[(f"{n:02}:00", f"{n:02}:30") for n in range(MOST_SPANS + 1)]), "at most 12 intervals"),
        (closed(*(MONDAY + timedelta(days=n) for n in range(MOST_SPECIAL + 1))), [], "at most 1000 days"),
        (closed(*(MONDAY + timedelta(days=n) for n in range(400))), [], "never opens in the 400 days from 2026-12-18 on"),
        (closed(*EVERY_DATE), [], "never opens in the 400 days"),
    ],
)
def test_what_can_not_be_is_refused_with_the_reason(off: list[dict[str, str]], other: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(BadHours, match=reason):
        hours(UTC, OFFICE, off, other)


def test_a_calendar_that_opens_only_on_a_rare_day_is_refused() -> None:
    with pytest.raises(BadHours, match="never opens in the 400 days"):
        hours(UTC, [[]] * 7, instead=instead("02-29", ("09:00", "17:00")))
    only_mondays = [[["09:00", "17:00"]], [], [], [], [], [], []]
    with pytest.raises(BadHours, match="never opens in the 400 days"):
        hours(UTC, only_mondays, closed(*EVERY_DATE[:-1]))


def test_a_night_into_a_day_that_opens_early_is_refused_only_where_they_meet() -> None:
    week = [[], [], [], [["22:00", "04:00"]], [["06:00", "12:00"]], [], []]
    assert checked(days(UTC, week, closed("12-25"))).spans(date(2026, 12, 25)) == ()
    with pytest.raises(BadHours, match="overlap on 2026-12-25"):
        hours(UTC, week, instead=instead("2026-12-25", ("03:00", "12:00")))


def test_a_night_that_would_begin_on_a_date_that_was_left_out_is_none() -> None:
    calendar = hours(zone("Pacific/Apia"), NIGHTS)
    midnight = utc("2011-12-30T10:00")
    assert calendar.elapsed(midnight - 24 * HOUR, midnight + 12 * HOUR) == 6 * HOUR + 2 * HOUR
