"""How long is too long without a mail."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import silence

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
times = st.datetimes(datetime(2026, 3, 2), datetime(2026, 5, 25), timezones=st.just(UTC))  # noqa: DTZ001 (given a zone)
histories = st.lists(times, max_size=200)
lengths = st.timedeltas(timedelta(0), timedelta(days=9))


def office(weeks: int) -> list[datetime]:
    """Mail in each hour from 8 to 17, Monday to Friday."""
    return [MONDAY + w * WEEK + timedelta(days=d, hours=h) for w in range(weeks) for d in range(5) for h in range(8, 17)]


def test_a_mail_to_oneself_may_take_a_quarter_of_an_hour_or_three_times_what_it_took_before() -> None:
    assert silence.patience([]) == silence.patience([3.0, 9.0]) == timedelta(minutes=15)
    assert silence.patience([20.0, 600.0, 10.0]) == timedelta(minutes=30)
    assert silence.patience([1e6]) == timedelta(hours=6)


def test_a_morning_without_mail_is_improbable_where_each_morning_brought_some() -> None:
    friday = MONDAY + 7 * WEEK + timedelta(days=4, hours=17)
    monday = MONDAY + 8 * WEEK
    history = office(8)
    assert not silence.improbable(history, friday, monday + 8 * HOUR)  # a weekend is none
    assert not silence.improbable(history, friday, monday + 10 * HOUR)
    assert silence.improbable(history, friday, monday + 12 * HOUR)


def test_little_history_takes_longer_to_be_sure() -> None:
    def hours_until_sure(weeks: int) -> int:
        since = MONDAY + weeks * WEEK + 8 * HOUR
        return next(n for n in range(1, 500) if silence.improbable(office(weeks), since, since + n * HOUR))

    assert hours_until_sure(8) < hours_until_sure(3) < hours_until_sure(2)


def test_nothing_is_improbable_before_two_weeks_are_known() -> None:
    since = MONDAY + WEEK + 8 * HOUR
    assert silence.chance(office(1), since, since + 5 * WEEK) == 1.0
    assert silence.chance([], since, since + 5 * WEEK) == 1.0


def test_less_than_three_hours_are_never_too_long() -> None:
    always = [MONDAY + n * HOUR for n in range(8 * 168)]
    since = MONDAY + 8 * WEEK
    assert silence.chance(always, since, since + timedelta(minutes=200)) < silence.IMPROBABLE
    assert not silence.improbable(always, since, since + timedelta(minutes=179))


@given(histories, times, lengths, lengths)
def test_a_longer_silence_is_never_likelier(history: list[datetime], since: datetime, one: timedelta, more: timedelta) -> None:
    assert 0.0 <= silence.chance(history, since, since + one + more) <= silence.chance(history, since, since + one) <= 1.0


@given(histories, times, lengths)
def test_a_flock_of_mails_counts_as_one(history: list[datetime], since: datetime, length: timedelta) -> None:
    assert silence.chance(history * 3, since, since + length) == silence.chance(history, since, since + length)


@given(histories, times, lengths, st.integers(-20, 20))
def test_only_the_time_of_the_week_counts(history: list[datetime], since: datetime, length: timedelta, weeks: int) -> None:
    moved = [at + weeks * WEEK for at in history]
    there = since + weeks * WEEK
    assert abs(silence.chance(moved, there, there + length) - silence.chance(history, since, since + length)) < 1e-9


@given(histories, times, lengths)
def test_what_comes_in_the_silence_teaches_nothing_about_it(history: list[datetime], since: datetime, length: timedelta) -> None:
    before = [at for at in history if silence.hour(at) < since]
    assert silence.chance(history, since, since + length) == silence.chance(before, since, since + length)
