"""Reading what a calendar says: times of day, dates, and days of every year. Whatever can't be is refused with the reason."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise

MIDNIGHT = 24 * 60
MOST_SPANS = 12  # a day
MOST_SPECIAL = 1000  # days that are closed or different
YEARS = range(1970, 2101)
LEAP = 2000

Span = tuple[int, int]  # minutes since midnight
Spans = tuple[Span, ...]


class BadHours(ValueError):
    """A calendar that can't be reckoned with; the message says why."""


def spans(pairs: Iterable[Sequence[str]]) -> Spans:
    """A day's intervals in their order. 24:00 ends a day; one that ends before it begins runs over midnight. Raises BadHours."""
    found = tuple(sorted(_span(pair) for pair in pairs))
    if len(found) > MOST_SPANS:
        raise BadHours(f"a day has at most {MOST_SPANS} intervals, this one has {len(found)}: join some of them")
    return found


def overlap(day: Spans) -> bool:
    """Whether two intervals of one day overlap."""
    return any(start < end for (_, end), (start, _) in pairwise(day))


def a_date(text: str) -> date:
    """A date like 2026-12-24. Raises BadHours."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise BadHours(f"{text!r} is no date that exists: write it like 2026-12-24") from None
    if found.isoformat() != text or found.year not in YEARS:
        raise BadHours(f"{text!r} is not a date like 2026-12-24 from {YEARS[0]} to {YEARS[-1]}")
    return found


def every_year(text: str) -> tuple[int, int]:
    """Month and day of a text like 12-25; 02-29 is in leap years alone. Raises BadHours."""
    try:
        found = date.fromisoformat(f"{LEAP}-{text}")
    except ValueError:
        raise BadHours(f"{text!r} is no day of a year: write month and day like 12-25") from None
    if found.isoformat() != f"{LEAP}-{text}":
        raise BadHours(f"{text!r} is no day of a year: write month and day like 12-25")
    return found.month, found.day


def _span(pair: Sequence[str]) -> Span:
    if len(pair) != 2:
        raise BadHours(f"{pair!r} is not an interval: give two times of day, when it begins and when it ends")
    opens, shuts = pair
    a, b = _minutes(opens), _minutes(shuts)
    if a in (b, MIDNIGHT):
        raise BadHours(f"{opens}-{shuts} has no length: end it after it begins, or at 24:00")
    return a, b if b > a else b + MIDNIGHT


def _minutes(clock: str) -> int:
    hour, colon, minute = clock.partition(":")
    if not (colon and len(clock) == 5 and clock.isascii() and hour.isdecimal() and minute.isdecimal()):
        raise BadHours(f"{clock!r} is not a time of day: write it like 09:30")
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > MIDNIGHT:
        raise BadHours(f"{clock!r} is not a time of day: hours go from 00:00 to 24:00")
    return total
