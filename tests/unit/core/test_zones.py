"""Times as people tell them, by the clocks of a zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import zones

BERLIN, KATHMANDU, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLACES = [
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
    "UTC",
]


def utc(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def test_one_instant_is_told_by_the_clocks_of_whoever_reads() -> None:
    assert zones.told(NOON, UTC) == "24 Nov 2026, 12:00"
    assert zones.told(NOON, KATHMANDU) == "24 Nov 2026, 17:45"
    assert zones.told(NOON, LORD_HOWE) == "24 Nov 2026, 23:00"
    assert zones.named(NOON, KATHMANDU) == "24 Nov 2026, 17:45 (Asia/Kathmandu)"


@pytest.mark.parametrize(
    ("zone", "first", "apart", "told"),
    [
        (BERLIN, "2026-10-25 00:30", 60, ["25 Oct 2026, 02:30 CEST", "25 Oct 2026, 02:30 CET"]),
        (LORD_HOWE, "2026-04-04 14:45", 30, ["5 Apr 2026, 01:45 +11", "5 Apr 2026, 01:45 +1030"]),
    ],
)
def test_a_time_that_the_clocks_show_twice_says_which_it_is(zone: ZoneInfo, first: str, apart: int, told: list[str]) -> None:
    assert [zones.told(utc(first) + n * timedelta(minutes=apart), zone) for n in (0, 1)] == told


def test_a_time_that_is_typed_is_read_by_the_clocks_of_who_typed_it() -> None:
    assert zones.typed("2026-11-24T17:45", KATHMANDU) == NOON
    assert zones.typed("2026-11-24T23:00", LORD_HOWE) == NOON
    assert zones.typed("2026-11-24T13:00+01:00", KATHMANDU) == NOON


def test_of_two_that_the_clocks_show_alike_the_first_is_meant() -> None:
    assert zones.typed("2026-10-25T02:30", BERLIN) == utc("2026-10-25 00:30")


def test_a_time_that_the_clocks_leave_out_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="no 02:30 on 2026-03-29 in Europe/Berlin: clocks are put forward"):
        zones.typed("2026-03-29T02:30", BERLIN)


@pytest.mark.parametrize(
    "words", ["", "soon", "2026-13-01T00:00", "0001-01-01T00:00", "9999-12-31T23:59-14:00", "2026-11-24T25:00"]
)
def test_what_is_no_time_is_refused_in_words(words: str) -> None:
    with pytest.raises(ValueError, match=r"That is no time\. Write it like 2026-11-24T09:00."):
        zones.typed(words, KATHMANDU)


@given(st.integers(0, 19_000_000), st.sampled_from(PLACES))
def test_whatever_the_clocks_show_means_an_instant_at_which_they_show_it(minutes: int, name: str) -> None:
    zone = ZoneInfo(name)
    at = NOON - minutes * timedelta(minutes=1)
    there = at.astimezone(zone)
    read = zones.typed(f"{there:%Y-%m-%dT%H:%M}", zone)
    assert read == at or (zones.twice(there) and zones.told(read, zone) != zones.told(at, zone))


def test_the_desks_own_sentences_are_told_by_the_readers_clocks() -> None:
    words = "Mail to desk has not come in since 2026-11-24 12:00 UTC: no answer"
    assert zones.retold(words, KATHMANDU) == "Mail to desk has not come in since 24 Nov 2026, 17:45 (Asia/Kathmandu): no answer"
    assert zones.retold(words, UTC) == zones.retold(words, ZoneInfo("UTC")) == words


@pytest.mark.parametrize("words", ["2026-99-24 12:00 UTC", "0001-01-01 00:00 UTC", "at 12:00 UTC", "12026-11-24 12:00 UTC"])
def test_what_only_looks_like_a_time_stays_as_it_is(words: str) -> None:
    assert zones.retold(words, ZoneInfo("America/New_York")) == words


def test_a_zone_that_is_known_no_more_is_the_other_one() -> None:
    assert zones.of("Asia/Kathmandu", BERLIN) is KATHMANDU
    for name in (None, "", "Nowhere/Gone", "Europe", "../etc/passwd", "a\0b"):
        assert zones.of(name, BERLIN) is BERLIN


def test_what_is_offered_are_places_that_are_known() -> None:
    offered = zones.offered()
    assert {"UTC", "Asia/Kathmandu", "Australia/Lord_Howe"} < set(offered) <= zones.known()
    assert {"US/Pacific", "Etc/GMT+5", "Factory"}.isdisjoint(offered)


def test_what_this_machine_takes_itself_for_is_no_zone() -> None:
    assert not {"localtime", "Factory", "posixrules"} & zones.known()
