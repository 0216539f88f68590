"""The arithmetic agrees with counting every minute, on random calendars in the nights that break calendars."""

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from app.hours.rules import BadHours, Days, Hours, checked, composed, days
from tests.unit.hours.counting import MINUTE, Counted, Spec, Walls
from tests.unit.hours.zones import zone

EVER = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = 8
QUESTIONS = 50  # of each kind, to one calendar

# A zone and the first of eight days: nights that are longer or shorter, a day that was left out, and quiet ones.
NIGHTS = [
    ("Europe/Berlin", "2026-03-26"),
    ("Europe/Berlin", "2026-10-22"),
    ("America/Sao_Paulo", "2015-10-14"),
    ("America/Sao_Paulo", "2016-02-17"),
    ("Africa/Casablanca", "2026-02-12"),
    ("Africa/Casablanca", "2026-09-17"),
    ("Australia/Lord_Howe", "2026-04-01"),
    ("Australia/Lord_Howe", "2026-09-30"),
    ("Pacific/Apia", "2011-12-26"),
    ("Asia/Kathmandu", "2026-02-25"),
    ("America/New_York", "2024-02-26"),
    ("Atlantic/Azores", "2026-10-22"),
]


@cache
def walls(number: int) -> Walls:
    return Walls(*NIGHTS[number], DAYS)


def clock(chance: random.Random) -> str:
    """Often a full hour, where clocks change."""
    minute = chance.choice([0, 0, 30, chance.randrange(60)])
    return f"{chance.choice([0, 1, 2, 3, 23, chance.randrange(24)]):02}:{minute:02}"


def pairs(chance: random.Random, most: int = 3) -> list[list[str]]:
    times = sorted({clock(chance) for _ in range(2 * chance.randrange(most + 1))})
    times = times[: len(times) // 2 * 2]
    found = [times[n : n + 2] for n in range(0, len(times), 2)]
    if found and chance.random() < 0.2:
        found[-1][1] = "24:00"
    elif found and chance.random() < 0.2:
        found[-1][1] = chance.choice(["00:30", "02:30", "03:00"])  # over midnight, where it fits
    return found


def special(chance: random.Random, known: Walls) -> dict[str, Any]:
    """A day of these, by its date or of every year; named, as all are."""
    day = chance.choice(known.dates()).isoformat()
    return {"every": day[5:], "name": "yearly"} if chance.random() < 0.15 else {"date": day, "name": "once"}


def said(chance: random.Random, known: Walls) -> tuple[Spec, Days]:
    """Random hours that a calendar may have."""
    while True:
        spec: Spec = {
            "week": [pairs(chance) if chance.random() < 0.8 else [] for _ in range(7)],
            "closed": [special(chance, known) for _ in range(chance.choice([0, 0, 1, 2]))],
            "instead": [special(chance, known) | {"hours": pairs(chance)} for _ in range(chance.choice([0, 0, 1, 2]))],
        }
        try:
            return spec, checked(days(zone(known.zone), spec["week"], spec["closed"], spec["instead"]))
        except BadHours:
            continue


def calendar(chance: random.Random, known: Walls) -> tuple[list[tuple[int, Spec]], Hours]:
    """One to three versions, each from a minute on that may be before the last one's."""
    counted, versions = [], []
    for number in range(chance.choice([1, 1, 2, 3])):
        spec, its_days = said(chance, known)
        since = chance.randrange(known.minutes) if number else 0
        counted.append((since, spec))
        versions.append((known.start + since * MINUTE if number else EVER, its_days))
    return counted, composed(versions)


def instant(chance: random.Random, known: Walls) -> datetime:
    """Somewhere in it, mostly not on a full minute; its last day is left to hours that run on."""
    at = known.start + chance.randrange(known.minutes - 24 * 60) * MINUTE
    return at + timedelta(microseconds=chance.choice([0, chance.randrange(60_000_000)]))


def agreements(calendars: int, seed: int) -> int:
    """Ask both about random calendars; how often they agreed. The first time that they don't it fails, and says on what."""
    chance = random.Random(seed)
    agreed = 0
    for _ in range(calendars):
        known = walls(chance.randrange(len(NIGHTS)))
        versions, hours = calendar(chance, known)
        slow = Counted(known, versions)
        for _ in range(QUESTIONS):
            a, b = sorted((instant(chance, known), instant(chance, known)))
            elapsed = slow.elapsed(a, b)
            assert hours.elapsed(a, b) == elapsed, (known.zone, versions, a, b)
            length = elapsed * chance.random() + timedelta(microseconds=1)
            due = slow.deadline(a, length)
            assert due is None or hours.deadline(a, length) == due, (known.zone, versions, a, length)
            agreed += 1 + (due is not None)
    return agreed


def test_it_agrees_with_counting_minutes_on_random_calendars() -> None:
    assert agreements(40, seed=1) > 3_000


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_agrees_on_a_hundred_thousand_random_cases() -> None:
    assert agreements(1_100, seed=2) > 100_000
