"""Which periods a report has, and what may be asked of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

FIRST, LAST = date(1970, 1, 1), date(2999, 12, 31)
MOST_PERIODS = 400
MOST_DAYS = 3660
DAY = timedelta(days=1)


class By(StrEnum):
    """What a report has its rows for."""

    PERIOD = "period"
    TEAM = "team"
    AGENT = "agent"
    ORGANIZATION = "organization"
    TAG = "tag"
    PRIORITY = "priority"


class Unit(StrEnum):
    """How long a period is. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Span:
    """The days that a report covers, both included, as they are counted in some zone, and how they are divided."""

    first: date
    last: date
    unit: Unit
    zone: tzinfo

    def problem(self) -> str | None:
        """What is wrong with it, in words."""
        if self.first > self.last:
            return f"`from` ({self.first}) is after `to` ({self.last})."
        if self.first < FIRST or self.last > LAST:
            return f"A report covers days from {FIRST} to {LAST}."
        if (self.last - self.first).days >= MOST_DAYS:
            return f"A report covers at most {MOST_DAYS} days; ask for a shorter time."
        if len(self.starts) > MOST_PERIODS:
            return f"That would be {len(self.starts)} periods, and a report has at most {MOST_PERIODS}; ask for longer ones."
        return None

    @property
    def starts(self) -> Sequence[date]:
        """The first day of each period; the first and the last one may be cut short."""
        return [self.first, *_borders(self.first + DAY, self.last, self.unit)]

    @property
    def edges(self) -> Sequence[datetime]:
        """The instant at which each period begins, and the one at which the last one ends. They never fall."""
        return [self._midnight(day) for day in (*self.starts, self.last + DAY)]

    def _midnight(self, day: date) -> datetime:
        """Where clocks jump over midnight, the instant at which they do."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)


def _borders(first: date, last: date, unit: Unit) -> Iterator[date]:
    for before, day in pairwise(first + n * DAY for n in range(-1, (last - first).days + 1)):
        if unit is Unit.DAY or (unit is Unit.WEEK and day.weekday() == 0) or (unit is Unit.MONTH and day.month != before.month):
            yield day


def running(steps: Sequence[tuple[int, int]], periods: int) -> list[int]:
    """What is there at the end of each period, from what was added in each (0 is all the time before)."""
    by_period, total = dict(steps), 0
    found = []
    for number in range(periods + 1):
        total += by_period.get(number, 0)
        found.append(total)
    return found[1:]
