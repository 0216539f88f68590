"""Working-time arithmetic, held against a slow and obvious second implementation and the nights that break calendars."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.hours.rules import Always, BadHours, Hours, hours

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OFFICE = [[["09:00", "12:00"], ["13:00", "17:30"]]] * 5 + [[], []]
EVERY_NIGHT = [[["22:00", "06:00"]]] * 7
ROUND_THE_CLOCK = [[["00:00", "24:00"]]] * 7
MIDNIGHTS = [[["00:00", "04:00"]]] * 7

# Each with a month in which its clocks are changed; Apia lost a day, Sao Paulo a midnight, Lord Howe changes by half an hour.
ZONES = {
    "Europe/Berlin": "2026-03-20",
    "America/Sao_Paulo": "2015-10-10",
    "Africa/Casablanca": "2026-02-10",
    "Australia/Lord_Howe": "2026-03-28",
    "Pacific/Apia": "2011-12-20",
    "Asia/Kathmandu": "2026-01-01",
}

lengths = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=12))


@st.composite
def calendars(draw: st.DrawFn) -> tuple[str, Hours, datetime]:
    zone = draw(st.sampled_from(sorted(ZONES)))
    week = draw(st.sampled_from([OFFICE, EVERY_NIGHT, MIDNIGHTS, ROUND_THE_CLOCK]))
    start = datetime.fromisoformat(ZONES[zone]).replace(tzinfo=UTC)
    at = start + draw(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)))
    return zone, hours(ZoneInfo(zone), week), at


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def in_zone(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def minute_by_minute(zone: str, opens: int, shuts: int, a: datetime, b: datetime) -> timedelta:
    """How long a clock on the wall shows a time in [opens, shuts) minutes; a and b on whole minutes."""
    count = 0
    while a < b:
        wall = a.astimezone(ZoneInfo(zone))
        count += opens <= wall.hour * 60 + wall.minute < shuts
        a += MINUTE
    return count * MINUTE


@given(calendars(), lengths)
@settings(max_examples=300, deadline=None)
def test_what_elapses_until_a_deadline_is_its_length(known: tuple[str, Hours, datetime], length: timedelta) -> None:
    _, calendar, at = known
    assert calendar.elapsed(at, calendar.deadline(at, length)) == length


@given(calendars(), lengths, lengths)
@settings(max_examples=300, deadline=None)
def test_spans_add_up(known: tuple[str, Hours, datetime], first: timedelta, second: timedelta) -> None:
    _, calendar, a = known
    b, c = a + first, a + first + second
    assert calendar.elapsed(a, b) + calendar.elapsed(b, c) == calendar.elapsed(a, c)


@given(calendars(), lengths, lengths)
@settings(max_examples=300, deadline=None)
def test_a_deadline_can_be_reached_in_two_steps(known: tuple[str, Hours, datetime], first: timedelta, second: timedelta) -> None:
    _, calendar, at = known
    assert calendar.deadline(calendar.deadline(at, first), second) == calendar.deadline(at, first + second)


@pytest.mark.parametrize("zone", sorted(ZONES))
@pytest.mark.parametrize("spans", [(("00:00", "04:00"), 0, 240), (("09:15", "17:30"), 555, 1050)])
def test_it_agrees_with_counting_minutes(zone: str, spans: tuple[tuple[str, str], int, int]) -> None:
    pair, opens, shuts = spans
    calendar = hours(ZoneInfo(zone), [[list(pair)]] * 7)
    start = utc(ZONES[zone])
    for day in range(0, 21, 3):
        a, b = start + timedelta(days=day, minutes=17 * day), start + timedelta(days=day + 4, minutes=61 * day)
        assert calendar.elapsed(a, b) == minute_by_minute(zone, opens, shuts, a, b), (zone, a, b)


def test_a_night_is_an_hour_shorter_or_longer_when_clocks_change() -> None:
    calendar = hours(ZoneInfo("Europe/Berlin"), MIDNIGHTS)
    spring, autumn = in_zone("2026-03-29T00:00", "Europe/Berlin"), in_zone("2026-10-25T00:00", "Europe/Berlin")
    assert calendar.elapsed(spring, spring.astimezone(UTC) + 12 * HOUR) == 3 * HOUR
    assert calendar.elapsed(autumn, autumn.astimezone(UTC) + 12 * HOUR) == 5 * HOUR


def test_a_time_that_does_not_exist_is_the_first_instant_after_the_gap() -> None:
    calendar = hours(ZoneInfo("Europe/Berlin"), [[["02:30", "05:00"]]] * 7)
    assert calendar.elapsed(utc("2026-03-28T23:00"), utc("2026-03-29T12:00")) == 2 * HOUR
    assert calendar.deadline(utc("2026-03-28T23:00"), MINUTE) == utc("2026-03-29T01:01")


def test_a_time_that_comes_twice_opens_with_the_earlier_and_closes_with_the_later() -> None:
    night = in_zone("2026-10-25T00:00", "Europe/Berlin").astimezone(UTC)
    closing = hours(ZoneInfo("Europe/Berlin"), [[["01:00", "02:30"]]] * 7)
    opening = hours(ZoneInfo("Europe/Berlin"), [[["02:30", "04:00"]]] * 7)
    meeting = hours(ZoneInfo("Europe/Berlin"), [[["01:00", "02:30"], ["02:30", "04:00"]]] * 7)
    assert closing.elapsed(night, night + 12 * HOUR) == 2.5 * HOUR
    assert opening.elapsed(night, night + 12 * HOUR) == 2.5 * HOUR
    assert meeting.elapsed(night, night + 12 * HOUR) == 4 * HOUR


def test_an_interval_that_a_gap_swallowed_is_none() -> None:
    calendar = hours(ZoneInfo("Europe/Berlin"), [[["02:10", "02:50"]]] * 7)
    assert calendar.elapsed(utc("2026-03-28T12:00"), utc("2026-03-29T12:00")) == timedelta(0)


def test_a_day_without_a_midnight_begins_when_it_begins() -> None:
    calendar = hours(ZoneInfo("America/Sao_Paulo"), MIDNIGHTS)
    assert calendar.deadline(utc("2015-10-17T12:00"), HOUR) == utc("2015-10-18T04:00")


def test_a_day_that_was_left_out_has_no_working_time() -> None:
    calendar = hours(ZoneInfo("Pacific/Apia"), [[["09:00", "17:00"]]] * 7)
    assert calendar.elapsed(in_zone("2011-12-29T00:00", "Pacific/Apia"), in_zone("2012-01-01T00:00", "Pacific/Apia")) == 16 * HOUR


def test_a_weekend_and_a_lunch_do_not_count() -> None:
    calendar = hours(UTC, OFFICE)
    assert calendar.deadline(utc("2026-11-20T16:30"), 2 * HOUR) == utc("2026-11-23T10:00")
    assert calendar.deadline(utc("2026-11-23T09:00"), 4 * HOUR) == utc("2026-11-23T14:00")


def test_a_length_that_ends_with_the_day_is_due_that_day() -> None:
    assert hours(UTC, OFFICE).deadline(utc("2026-11-23T16:30"), HOUR) == utc("2026-11-23T17:30")


def test_an_interval_runs_over_midnight() -> None:
    calendar = hours(UTC, EVERY_NIGHT)
    assert calendar.elapsed(utc("2026-11-23T00:00"), utc("2026-11-24T00:00")) == 8 * HOUR
    assert calendar.deadline(utc("2026-11-23T21:00"), 3 * HOUR) == utc("2026-11-24T01:00")


def test_one_calendar_answers_for_the_far_past_and_the_far_future() -> None:
    calendar = hours(UTC, OFFICE)
    assert calendar.elapsed(utc("2026-11-23T00:00"), utc("2026-11-24T00:00")) == 7.5 * HOUR
    assert calendar.elapsed(utc("1999-11-22T00:00"), utc("1999-11-23T00:00")) == 7.5 * HOUR
    assert calendar.deadline(utc("2026-11-23T09:00"), 1500 * 7.5 * HOUR) == utc("2032-08-20T17:30")


def test_round_the_clock_is_plain_time() -> None:
    calendar = hours(ZoneInfo("Europe/Berlin"), ROUND_THE_CLOCK)
    assert isinstance(calendar, Always)
    assert calendar.deadline(utc("2026-03-28T12:00"), 24 * HOUR) == utc("2026-03-29T12:00")
    assert calendar.elapsed(utc("2026-03-29T12:00"), utc("2026-03-28T12:00")) == timedelta(0)


@pytest.mark.parametrize(
    ("week", "reason"),
    [
        ([[]] * 7, "never opens"),
        ([[["09:00", "17:00"]]] * 6, "7 days"),
        ([[["09:00", "09:00"]]] * 7, "no length"),
        ([[["24:00", "09:00"]]] * 7, "no length"),
        ([[["9:00", "17:00"]]] * 7, "not a time of day"),
        ([[["09:60", "17:00"]]] * 7, "not a time of day"),
        ([[["09:00", "24:01"]]] * 7, "not a time of day"),
        ([[["09:00", "12:00", "13:00"]]] * 7, "not an interval"),
        ([[["09:00", "13:00"], ["12:00", "17:00"]]] * 7, "overlap on day 1"),
        ([[["09:00", "12:01"], ["12:00", "17:00"]]] * 7, "overlap on day 1"),
        ([[], [], [], [], [], [["22:00", "06:00"]], [["05:00", "08:00"]]], "overlap on day 7"),
        ([[["05:00", "08:00"]], [], [], [], [], [], [["22:00", "06:00"]]], "overlap on day 1"),
    ],
)
def test_a_week_that_can_not_be_is_refused_with_the_reason(week: list[list[list[str]]], reason: str) -> None:
    with pytest.raises(BadHours, match=reason):
        hours(UTC, week)
