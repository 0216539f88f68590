"""A calendar as sorted openings: a question is two bisections. They are worked out as far as somebody asks, either way."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import accumulate, chain, islice, pairwise
from typing import Protocol

from app.hours.rules.days import DAY, Days, Special, checked, days
from app.hours.rules.parts import EPOCH, TICK, Part, at, joined
from app.hours.rules.walls import exists, instant
from app.hours.rules.words import MIDNIGHT

NOTHING = timedelta(0)
STEP = 366 * DAY  # how much more than asked is worked out at once
KEPT = 20 * STEP  # of one calendar; whoever asks for more has it worked out for themselves
HORIZON = 80 * STEP  # nobody waits for a deadline that is further away
MOST_PARTS = 60
FAR = 1 << 62  # microseconds; after all times


class NeverReached(ArithmeticError):
    """This calendar doesn't open enough for that: the deadline would be more than 80 years away. Open longer, or promise less."""


class Hours(Protocol):
    """What arithmetic needs to know of a calendar. Instants are aware; what comes back is in UTC."""

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        """The working time in [a, b); nothing when b is not after a."""
        ...

    def deadline(self, a: datetime, length: timedelta) -> datetime:
        """The earliest instant from `a` on by which `length` of working time has passed since `a`. Raises NeverReached."""
        ...

    def parts(self, a: datetime, b: datetime, *, most: int = MOST_PARTS) -> list[Part]:
        """When it was open in [a, b), and the days that were closed or different: at most so many, and all of the time."""
        ...


class Always:
    """Round the clock: working time is time."""

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        return max(b.astimezone(UTC) - a.astimezone(UTC), NOTHING)

    def deadline(self, a: datetime, length: timedelta) -> datetime:
        return a.astimezone(UTC) + max(length, NOTHING)

    def parts(self, a: datetime, b: datetime, *, most: int = MOST_PARTS) -> list[Part]:  # noqa: ARG002 (one at most)
        a, b = a.astimezone(UTC), b.astimezone(UTC)
        return [Part(a, b, b - a)] if a < b else []


@dataclass(frozen=True)
class Shut:
    """A day on which nothing opens, in microseconds, and its name."""

    since: int
    until: int
    name: str


@dataclass(frozen=True)
class Piece:
    """What is said for instants in [since, until), microseconds since 1970."""

    since: int
    until: int
    days: Days

    def dates(self, first: date, last: date) -> Iterator[date]:
        """The days of [first, last) that may have to do with it."""
        first = max(first, at(self.since).date() - 2 * DAY) if self.since > -FAR else first
        last = min(last, at(self.until).date() + 3 * DAY) if self.until < FAR else last
        return (first + number * DAY for number in range((last - first).days))

    def openings(self, day: date) -> Iterator[tuple[int, int]]:
        """What of a day's openings lies in it; on a night of change two of them may overlap."""
        zone = self.days.zone
        for opens, shuts in self.days.spans(day):
            if shuts > MIDNIGHT and not exists(day, zone):
                continue  # its night would run on into the next day
            start = max(_ticks(instant(day, opens, zone)), self.since)
            end = min(_ticks(instant(day, shuts, zone, later=True)), self.until)
            if start < end:
                yield start, end

    def shut(self, day: date) -> Shut | None:
        """A day that is closed although its weekday isn't."""
        other = self.days.other(day)
        if other is None or other.spans or not self.days.week[day.weekday()]:
            return None
        since, until = (_ticks(instant(each, 0, self.days.zone)) for each in (day, day + DAY))
        return Shut(max(since, self.since), min(until, self.until), other.name)


@dataclass(frozen=True)
class Openings:
    """What is known of a calendar for days in [first, last): openings in order, and the sum of all before each. Microseconds.

    Questions about [since, until] can be answered.
    """

    first: date
    last: date
    since: int
    until: int
    opens: "array[int]"
    shuts: "array[int]"
    before: "array[int]"

    def passed(self, tick: int) -> int:
        """Working time from the first opening to `tick`."""
        place = bisect_right(self.opens, tick) - 1
        return 0 if place < 0 else self.before[place] + min(tick, self.shuts[place]) - self.opens[place]

    def reaching(self, total: int) -> int | None:
        """The first instant by which so much working time (more than nothing) has passed; None if it is not known yet."""
        place = bisect_left(self.before, total) - 1
        if place < 0:
            return None
        reached = self.opens[place] + total - self.before[place]
        return reached if reached <= self.shuts[place] else None


class Pieces:
    """One calendar, in `zone`s and hours that may have changed over time."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._known: Openings | None = None  # replaced as a whole, so that threads may share it

    def elapsed(self, a: datetime, b: datetime) -> timedelta:
        start, end = _ticks(a), _ticks(b)
        if end <= start:
            return NOTHING
        known = self._about(start, end)
        return (known.passed(end) - known.passed(start)) * TICK

    def deadline(self, a: datetime, length: timedelta) -> datetime:
        start, wanted = _ticks(a), length // TICK
        if wanted <= 0:
            return a.astimezone(UTC)
        known = self._about(start, start + wanted)
        while (found := known.reaching(known.passed(start) + wanted)) is None:
            known = self._further(known, start)
        return EPOCH + timedelta(microseconds=found)

    def parts(self, a: datetime, b: datetime, *, most: int = MOST_PARTS) -> list[Part]:
        start, end = _ticks(a), _ticks(b)
        found = list(islice(joined(self._parts(start, end)), most + 1)) if start < end else []
        if len(found) <= most:
            return found
        rest = found[most - 1].from_at
        count = sum(1 for _ in joined(self._parts(_ticks(rest), end)))
        return [*found[: most - 1], Part(rest, at(end), self.elapsed(rest, b), count=count)]

    def _parts(self, start: int, end: int) -> Iterator[Part]:
        """Day after day, what lies in [start, end)."""
        reached = start
        for piece in self._pieces:
            for day in piece.dates(at(start).date() - 2 * DAY, at(end).date() + 3 * DAY):
                shut = piece.shut(day)
                if shut and max(shut.since, reached) < min(shut.until, end):
                    yield Part(at(max(shut.since, reached)), at(min(shut.until, end)), NOTHING, shut.name)
                for opens, shuts in piece.openings(day):
                    since, until = max(opens, reached), min(shuts, end)
                    if since < until:
                        yield Part(at(since), at(until), (until - since) * TICK, piece.days.name(day))
                        reached = until

    def _about(self, start: int, end: int) -> Openings:
        """Openings that cover [start, end]."""
        known = self._known
        if known and known.since <= start and end <= known.until:
            return known
        first, last = at(start).date() - 2 * DAY, at(end).date() + 3 * DAY
        return self._covering(known, first, last + STEP)

    def _further(self, known: Openings, start: int) -> Openings:
        """Twice as far as what is known. Raises NeverReached."""
        first = at(start).date() - 2 * DAY
        if known.last - first > HORIZON:
            raise NeverReached((NeverReached.__doc__ or "").strip())
        return self._covering(known, first, known.last + max(known.last - first, STEP))

    def _covering(self, known: Openings | None, first: date, last: date) -> Openings:
        """What is known, [first, last) and what lies between, where that is not too much: only what is missing is worked out."""
        if known and max(last, known.last) - min(first, known.first) <= KEPT:
            first, last = min(first, known.first), max(last, known.last)
            middle = zip(known.opens, known.shuts, strict=True)
            found = _openings(first, last, chain(self._spans(first, known.first), middle, self._spans(known.last, last)))
        else:
            found = _openings(first, last, self._spans(first, last))
        if last - first <= KEPT:
            self._known = found
        return found

    def _spans(self, first: date, last: date) -> Iterator[tuple[int, int]]:
        for piece in self._pieces:
            for day in piece.dates(first, last):
                yield from piece.openings(day)


def composed(versions: Sequence[tuple[datetime, Days]]) -> Hours:
    """The arithmetic of a calendar from all of its versions, oldest first: each replaces what was said from its instant on.

    The first one holds for all that was before it, too.
    """
    held: list[tuple[int, Days]] = []
    for effective_from, said in versions:
        since = _ticks(effective_from)
        held = [*((s, d) for s, d in held if s < since), (since, said)]
    if len(held) == 1 and held[0][1].always:
        return Always()
    begins = [-FAR, *(since for since, _ in held[1:]), FAR]
    return Pieces([Piece(a, b, said) for (a, b), (_, said) in zip(pairwise(begins), held, strict=True)])


def hours(
    zone: tzinfo,
    week: Sequence[Sequence[Sequence[str]]],
    closed: Sequence[Special] = (),
    instead: Sequence[Special] = (),
) -> Hours:
    """The arithmetic of one week with its special days, looked at closely. Raises BadHours."""
    return composed([(EPOCH, checked(days(zone, week, closed, instead)))])


def _openings(first: date, last: date, spans: Iterable[tuple[int, int]]) -> Openings:
    opens, shuts = array("q"), array("q")
    for start, end in spans:
        if shuts and start <= shuts[-1]:  # neighbours that touch or, where clocks change, overlap are one
            shuts[-1] = max(shuts[-1], end)
        else:
            opens.append(start)
            shuts.append(end)
    lengths = (end - start for start, end in zip(opens, shuts, strict=True))
    before = array("q", list(accumulate(lengths, initial=0))[:-1])
    since, until = (_ticks(datetime.combine(d, time(), UTC)) for d in (first + 2 * DAY, last - 2 * DAY))
    return Openings(first, last, since, until, opens, shuts, before)


def _ticks(t: datetime) -> int:
    return (t - EPOCH) // TICK
