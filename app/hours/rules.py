"""Working-time arithmetic: how much of it lies between two instants, and when a length of it is used up.

A week is wall-clock intervals in a time zone, converted date by date. Where the clocks go forward, a time that doesn't exist is
the first instant after the gap; where they go back, the earlier one opens and the later one closes. A second of working time is a
real second, so 00:00-04:00 is three hours long on the one night and five on the other.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import accumulate, pairwise
from typing import Protocol

DAY = timedelta(days=1)
NOTHING = timedelta(0)
STEP = timedelta(days=366)  # how much more than asked is worked out at once
MIDNIGHT = 24 * 60

Span = tuple[int, int]  # minutes since midnight
Week = tuple[tuple[Span, ...], ...]


class BadHours(ValueError):
    """A calendar that can't be reckoned with; the message says why."""


class Hours(Protocol):
    """What arithmetic needs to know of a calendar. Instants are aware; what comes back is in UTC."""

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        """The working time in [a, b); nothing when b is not after a."""
        ...

    def deadline(self, a: datetime, length: timedelta) -> datetime:
        """The earliest instant from `a` on by which `length` of working time has passed since `a`."""
        ...


class Always:
    """Round the clock: working time is time."""

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        return max(b.astimezone(UTC) - a.astimezone(UTC), NOTHING)

    def deadline(self, a: datetime, length: timedelta) -> datetime:
        return a.astimezone(UTC) + max(length, NOTHING)


@dataclass(frozen=True)
class Openings:
    """What is known of a calendar for days in [first, last): sorted UTC intervals, and the sum of all before each."""

    first: date
    last: date
    opens: list[datetime]
    shuts: list[datetime]
    before: list[timedelta]

    def until(self, t: datetime) -> timedelta:
        """Working time from the first interval to `t`."""
        at = bisect_right(self.opens, t) - 1
        return NOTHING if at < 0 else self.before[at] + min(t, self.shuts[at]) - self.opens[at]

    def reaching(self, total: timedelta) -> datetime | None:
        """The first instant by which so much working time (more than nothing) has passed; None if it is not known yet."""
        at = bisect_left(self.before, total) - 1
        reached = self.opens[at] + (total - self.before[at])
        return reached if reached <= self.shuts[at] else None


class Weekly:
    """The same intervals every week in `zone`, worked out as far as somebody asks; a question is two bisections."""

    def __init__(self, zone: tzinfo, week: Week) -> None:
        self._zone, self._week = zone, week
        self._known: Openings | None = None  # replaced as a whole, so that threads may share it

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        a, b = a.astimezone(UTC), b.astimezone(UTC)  # within one zone Python reckons with what the wall clock shows
        if b <= a:
            return NOTHING
        known = self._reach(a, b)
        return known.until(b) - known.until(a)

    def deadline(self, a: datetime, length: timedelta) -> datetime:
        a = a.astimezone(UTC)
        if length <= NOTHING:
            return a
        known = self._reach(a, a + length)
        while (found := known.reaching(known.until(a) + length)) is None:
            known = self._reach(a, datetime.combine(known.last + STEP, time(), UTC))
        return found

    def _reach(self, a: datetime, b: datetime) -> Openings:
        """Openings that cover [a, b], with two days on either side for zones and nights."""
        first, last = a.date() - 2 * DAY, b.date() + 3 * DAY
        known = self._known
        if known and known.first <= first and last <= known.last:
            return known
        if known:
            first, last = min(first, known.first), max(last, known.last)
        self._known = known = self._worked_out(first, last + STEP)
        return known

    def _worked_out(self, first: date, last: date) -> Openings:
        spans = list(_joined(self._spans(first, last)))
        before = list(accumulate((shuts - opens for opens, shuts in spans), initial=NOTHING))[:-1]
        return Openings(first, last, [opens for opens, _ in spans], [shuts for _, shuts in spans], before)

    def _spans(self, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
        for number in range((last - first).days):
            day = first + number * DAY
            for opens, shuts in self._week[day.weekday()]:
                yield instant(day, opens, self._zone), instant(day, shuts, self._zone, later=True)


def hours(zone: tzinfo, week: Sequence[Sequence[Sequence[str]]]) -> Hours:
    """The arithmetic for a week of ["HH:MM", "HH:MM"] pairs, Monday first. Raises BadHours.

    24:00 ends a day; an interval that ends before it begins runs over midnight.
    """
    if len(week) != 7:
        raise BadHours(f"a week has 7 days, this one has {len(week)}: give a list for each day, Monday first")
    spans = tuple(tuple(sorted(_span(pair) for pair in day)) for day in week)
    if all(day == ((0, MIDNIGHT),) for day in spans):
        return Always()
    if not any(spans):
        raise BadHours("the calendar never opens: give at least one interval")
    _refuse_overlaps(spans)
    return Weekly(zone, spans)


def instant(day: date, minutes: int, zone: tzinfo, *, later: bool = False) -> datetime:
    """The UTC instant of a wall-clock time `minutes` after midnight; `later` chooses the second of two."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    there = wall.replace(tzinfo=zone, fold=int(later)).astimezone(UTC)
    if there.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return there
    return _after_gap(wall, zone)


def _after_gap(wall: datetime, zone: tzinfo) -> datetime:
    """The instant of the change that jumps over `wall`, to the second: zones change at whole seconds."""
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        jumped = middle.astimezone(zone).replace(tzinfo=None, fold=0) > wall
        before, after = (before, middle) if jumped else (middle, after)
    return after


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
    if not (colon and len(clock) == 5 and hour.isdecimal() and minute.isdecimal()):
        raise BadHours(f"{clock!r} is not a time of day: write it like 09:30")
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > MIDNIGHT:
        raise BadHours(f"{clock!r} is not a time of day: hours go from 00:00 to 24:00")
    return total


def _refuse_overlaps(week: Week) -> None:
    flat = [(day * MIDNIGHT + a, day * MIDNIGHT + b) for day, spans in enumerate(week) for a, b in spans]
    flat.append((flat[0][0] + 7 * MIDNIGHT, flat[0][1] + 7 * MIDNIGHT))
    for (_, end), (start, _) in pairwise(flat):
        if start < end:
            raise BadHours(f"two intervals overlap on day {start // MIDNIGHT % 7 + 1} of the week: join them")


def _joined(spans: Iterator[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """Neighbours that touch or, where clocks change, overlap are one."""
    held: tuple[datetime, datetime] | None = None
    for opens, shuts in spans:
        if held and opens <= held[1]:
            held = held[0], max(held[1], shuts)
            continue
        if held:
            yield held
        held = opens, shuts
    if held:
        yield held
