"""A backup each night at its time, whatever clocks do; one that failed is tried again, one that was missed is made up for."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ops.backup.rules import AGAIN, SETTLE, due_at, next_time

TWO, BERLIN = time(2, 0), ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"])
MOMENTS = st.integers(1_577_836_800, 2_114_380_800).map(lambda at: datetime.fromtimestamp(at, UTC))


@given(MOMENTS, st.times().map(lambda t: t.replace(second=0, microsecond=0)), ZONES)
def test_the_next_time_is_the_first_one_and_at_most_a_day_and_an_hour_away(after: datetime, at: time, zone: str) -> None:
    found = next_time(at, ZoneInfo(zone), after)
    assert after < found <= after + DAY + HOUR
    if (local := found.astimezone(ZoneInfo(zone))).time() != at:  # that day had no such time
        assert local.fold == 0
        assert local.replace(tzinfo=None) - datetime.combine(local.date(), at) in (HOUR, HOUR / 2)


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ("2026-03-28T12:00Z", "2026-03-29T01:30Z"),  # 02:30 is left out: 03:30
        ("2026-10-24T12:00Z", "2026-10-25T00:30Z"),  # 02:30 comes twice
        ("2026-10-25T00:30Z", "2026-10-26T01:30Z"),
    ],
)
def test_a_night_in_which_clocks_change_has_one(after: str, found: str) -> None:
    assert next_time(time(2, 30), BERLIN, datetime.fromisoformat(after)) == datetime.fromisoformat(found)


def test_it_is_due_at_the_first_time_after_the_last_good_one() -> None:
    due = due_at(TWO, UTC, good=NOON, tried=None, began=NOON - 30 * DAY)
    assert due == datetime(2026, 11, 11, 2, tzinfo=UTC)


def test_a_new_desk_waits_for_its_first_night() -> None:
    assert due_at(TWO, UTC, good=None, tried=None, began=NOON) == datetime(2026, 11, 11, 2, tzinfo=UTC)


def test_a_night_that_was_missed_is_made_up_for_once_the_desk_has_settled() -> None:
    assert due_at(TWO, UTC, good=NOON - 3 * DAY, tried=None, began=NOON) == NOON + SETTLE


def test_one_that_failed_is_tried_again_an_hour_later() -> None:
    assert due_at(TWO, UTC, good=NOON - DAY, tried=NOON, began=NOON - 9 * DAY) == NOON + AGAIN
