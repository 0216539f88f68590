"""A backup each night at its time, whatever clocks do; one that failed is tried again, one that was missed is made up for."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import config
from app.config import Settings
from app.entry.backups import Nights
from app.ops.backup import asking
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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "app").mkdir()
    return config.load({"RUN_DIR": str(tmp_path), "TZ": "Europe/Berlin", "BACKUP_SCHEDULE": "02:00"}, secrets=tmp_path / "none")


class Made:
    """Says of each backup whether it is good, and counts them."""

    def __init__(self, *good: bool) -> None:
        self.good, self.at = list(good), 0

    def __call__(self) -> bool:
        self.at += 1
        return self.good[self.at - 1]


def hours(nights: Nights, since: datetime, count: int, made: Made) -> list[int]:
    """In which of the hours from then on one was made."""
    found = []
    for hour in range(count):
        before = made.at
        nights.look(since + hour * HOUR)
        found += [hour] if made.at > before else []
    return found


def test_there_is_one_each_night_in_the_desks_zone_and_again_each_hour_after_a_failure(settings: Settings) -> None:
    made = Made(True, False, False, True, True)
    nights = Nights(settings, made, began=NOON, good=None)
    assert hours(nights, NOON, 80, made) == [13, 37, 38, 39, 61]  # 12:00 UTC is 13:00 there


def test_switched_off_there_is_none_but_on_demand(settings: Settings, tmp_path: Path) -> None:
    off = config.load({"RUN_DIR": str(tmp_path), "BACKUP_SCHEDULE": "off"}, secrets=tmp_path / "none")
    made = Made(True, True)
    nights = Nights(off, made, began=NOON, good=None)
    assert hours(nights, NOON, 100, made) == []
    asking.mark(off).touch()
    assert hours(nights, NOON, 3, made) == [0]


def test_a_mark_from_before_its_start_asks_for_nothing(settings: Settings) -> None:
    asking.mark(settings).touch()
    made = Made()
    assert hours(Nights(settings, made, began=NOON, good=None), NOON, 3, made) == []
