"""Working time counted minute by minute: slow, obvious, and without a line of what it is to judge.

Every minute of a few days is asked of another library what the wall clock shows. An interval opens on the first minute on which
the clock shows its beginning or later, and closes on the last one that shows its end; where none does, after the last that shows
less.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import whenever

MINUTE = timedelta(minutes=1)
NOTHING = timedelta(0)
Spec = dict[str, Any]


class Walls:
    """What the wall clock of a zone shows, on each minute of some days (of UTC)."""

    def __init__(self, zone: str, start: str, days: int) -> None:
        self.zone = zone
        self.start = datetime.fromisoformat(start).replace(tzinfo=UTC)
        self.minutes = days * 24 * 60
        begin = whenever.Instant(self.start)
        self.shown = [begin.add(minutes=m).to_tz(zone).to_plain().to_stdlib() for m in range(self.minutes)]
        self._opening = self._first_from()
        self._closing = self._last_before() | {wall: minute for minute, wall in enumerate(self.shown)}

    def dates(self) -> list[date]:
        """Every date that is shown, and the one before, whose nights run into the first; a date that is left out is none."""
        shown = sorted({wall.date() for wall in self.shown})
        return [shown[0] - timedelta(days=1), *shown]

    def span(self, day: date, pair: Sequence[str]) -> slice:
        """The minutes of an interval that begins on a date."""
        opens, shuts = (self._wall(day, text) for text in pair)
        if shuts <= opens:
            shuts += timedelta(days=1)
        return slice(self._at(self._opening, opens), self._at(self._closing, shuts))

    def _at(self, known: dict[datetime, int], wall: datetime) -> int:
        return 0 if wall < self.shown[0] else known.get(wall, self.minutes)

    @staticmethod
    def _wall(day: date, text: str) -> datetime:
        hour, minute = text.split(":")
        return datetime.combine(day, time()) + timedelta(hours=int(hour), minutes=int(minute))

    def _first_from(self) -> dict[datetime, int]:
        """For each wall time the first minute that shows it or a later one."""
        found: dict[datetime, int] = {}
        wall = self.shown[0]
        for minute, shown in enumerate(self.shown):
            while wall <= shown:
                found[wall] = minute
                wall += MINUTE
        return found

    def _last_before(self) -> dict[datetime, int]:
        """For each wall time the minute after the last one that shows less."""
        found: dict[datetime, int] = {}
        wall = self.shown[-1] + MINUTE
        for minute in reversed(range(self.minutes)):
            while wall > self.shown[minute]:
                found[wall] = minute + 1
                wall -= MINUTE
        return found


class Counted:
    """A calendar by its versions, (the minute from which it holds, what it says), oldest first, as a mark on every minute."""

    def __init__(self, walls: Walls, versions: Sequence[tuple[int, Spec]]) -> None:
        self.walls = walls
        self.open = bytearray(walls.minutes)
        for since, spec in versions:
            self.open[since:] = self._marked(spec)[since:]

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        """The open time in [a, b)."""
        return sum((end - start for start, end in self._from(a, b)), NOTHING)

    def deadline(self, a: datetime, length: timedelta) -> datetime | None:
        """When `length` of open time is over; None where that is after the last minute."""
        for start, end in self._from(a, self.walls.start + self.walls.minutes * MINUTE):
            if length <= end - start:
                return start + length
            length -= end - start
        return None

    def _from(self, a: datetime, b: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Each open minute of [a, b), or what of it lies there."""
        minute = (a - self.walls.start) // MINUTE
        while (start := self.walls.start + minute * MINUTE) < b:
            if self.open[minute]:
                yield max(start, a), min(start + MINUTE, b)
            minute += 1

    def _marked(self, spec: Spec) -> bytearray:
        marks = bytearray(self.walls.minutes)
        for day in self.walls.dates():
            for pair in _pairs(spec, day):
                span = self.walls.span(day, pair)
                for minute in range(span.start, span.stop):
                    marks[minute] = 1
        return marks


def _pairs(spec: Spec, day: date) -> Sequence[Sequence[str]]:
    """The intervals of a date: its own entry, one of every year, or its weekday's."""
    for key, text in (("date", day.isoformat()), ("every", day.isoformat()[5:])):
        for closed in spec["closed"]:
            if closed.get(key) == text:
                return []
        for instead in spec["instead"]:
            if instead.get(key) == text:
                found: Sequence[Sequence[str]] = instead["hours"]
                return found
    week: Sequence[Sequence[Sequence[str]]] = spec["week"]
    return week[day.weekday()]
