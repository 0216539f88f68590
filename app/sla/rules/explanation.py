"""The arithmetic of a clock, line by line, from the same segments it is computed from."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo

from app.core.zones import twice
from app.hours.rules import Part
from app.sla.rules.clock import Clock, Segment, until
from app.sla.rules.words import Outcome, Stretch

TO = "\N{EN DASH}"
MOST_PARTS = 15  # lines of one stretch

_PAUSES = {
    Stretch.PAUSE: "while waiting for the customer",
    Stretch.RESOLVED: "while it was resolved",
    Stretch.AWAY: "while it was merged or in the trash",
}
_ENDINGS = {
    Outcome.CLOSED_UNANSWERED: "resolved without an answer",
    Outcome.RESOLVED: "the ticket was resolved",
    Outcome.ENDED: "the ticket was closed",
    Outcome.MOVED: "the customer's question was moved to another ticket",
    Outcome.MERGED: "the ticket was merged into another",
    Outcome.TRASHED: "the ticket was put in the trash",
    Outcome.NO_POLICY: "no policy fits the ticket any more",
}


def explain(clock: Clock, zone: tzinfo) -> list[str]:
    """Lines for people, in `zone`: what was promised, what ran, what didn't count, and what follows."""
    promised = f"promised {length(clock.goal.target)} ({clock.goal.priority} priority) from {_day(clock.started_at, zone)}"
    ceased = _ceased(clock)
    counted = until(clock, ceased) if ceased else clock.segments
    past = (line for segment in _merged(counted) for line in _past(segment, clock, zone))
    return [promised, *past, *_present(clock, zone), *_end(clock, zone)]


def length(span: timedelta) -> str:
    """Hours, minutes and seconds; never days, which are long or short by the calendar."""
    seconds = round(span.total_seconds())
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _past(segment: Segment, clock: Clock, zone: tzinfo) -> Iterator[str]:
    span = _span(segment.from_at, segment.to_at, zone)
    if segment.kind is not Stretch.RUN:
        yield f"paused {span} {_PAUSES[segment.kind]}"
        return
    yield f"ran {span} = {length(clock.goal.hours.elapsed(segment.from_at, segment.to_at))}"
    yield from _counted(clock, segment.from_at, segment.to_at, zone)


def _present(clock: Clock, zone: tzinfo) -> Iterator[str]:
    if clock.open and clock.remaining:
        verb = "runs" if clock.running else "paused"
        yield f"{verb} since {_day(clock.anchor_at, zone)}, {length(clock.remaining)} left then"
        if clock.running and clock.due_at:
            yield from _counted(clock, clock.anchor_at, clock.due_at, zone)


def _counted(clock: Clock, a: datetime, b: datetime, zone: tzinfo) -> Iterator[str]:
    """What of [a, b) counted, opening by opening, where it wasn't all of it."""
    parts = clock.goal.hours.parts(a, b, most=MOST_PARTS)
    if [(part.from_at, part.to_at) for part in parts] != [(a.astimezone(UTC), b.astimezone(UTC))]:
        yield from (_part(part, zone) for part in parts)


def _part(part: Part, zone: tzinfo) -> str:
    if part.count > 1:
        return f"and {part.count} more until {_day(part.to_at, zone)} = {length(part.length)}"
    if not part.length:
        return f"{_whole(part, zone)} closed: {part.note}"
    return f"{_span(part.from_at, part.to_at, zone)} = {length(part.length)}" + (f" ({part.note})" if part.note else "")


def _whole(part: Part, zone: tzinfo) -> str:
    """A day by its date, if that is the same day in this zone."""
    since, until = part.from_at.astimezone(zone), part.to_at.astimezone(zone)
    whole = since.time() == until.time() == time() and (until.date() - since.date()).days == 1
    return f"{since:%a} {since.day} {since:%b}" if whole else _span(part.from_at, part.to_at, zone)


def _end(clock: Clock, zone: tzinfo) -> Iterator[str]:
    if clock.breached_at:
        yield f"missed: was due {_due(clock.breached_at, zone)}"
    elif clock.open and clock.due_at:
        yield f"due {_due(clock.due_at, zone)}"
    if clock.fulfilled_at and clock.due_at:
        yield _done(clock.fulfilled_at, clock.due_at, zone)
    elif clock.outcome:
        yield f"stopped {_day(_ceased(clock) or clock.anchor_at, zone)}: {_ENDINGS.get(clock.outcome, clock.outcome)}"


def _ceased(clock: Clock) -> datetime | None:
    """When there was no promise any more; what happened after that was counted only in case there is one again."""
    return clock.promised_at if clock.outcome is Outcome.NO_POLICY else None


def _done(at: datetime, due: datetime, zone: tzinfo) -> str:
    if at > due:
        return f"done {_day(at, zone)}, {length(at - due)} late"
    return f"done {_day(at, zone)}, {length(due - at)} before it was due {_due(due, zone)}"


def _merged(segments: tuple[Segment, ...]) -> list[Segment]:
    """Neighbours of one kind as one."""
    merged: list[Segment] = []
    for segment in segments:
        if merged and merged[-1].kind is segment.kind:
            merged[-1] = Segment(merged[-1].from_at, segment.to_at, segment.kind)
        else:
            merged.append(segment)
    return merged


def _span(a: datetime, b: datetime, zone: tzinfo) -> str:
    a, b = a.astimezone(zone), b.astimezone(zone)
    return f"{_day(a, zone)}{TO}{_time(b)}" if a.date() == b.date() else f"{_day(a, zone)} {TO} {_day(b, zone)}"


def _day(at: datetime, zone: tzinfo) -> str:
    there = at.astimezone(zone)
    return f"{there:%a} {there.day} {there:%b} {_time(there)}"


def _time(there: datetime) -> str:
    return f"{there:%H:%M:%S}".removesuffix(":00") + (f" {there:%Z}" if twice(there) else "")


def _due(at: datetime, zone: tzinfo) -> str:
    there = at.astimezone(zone)
    return _day(at, zone) if twice(there) else f"{_day(at, zone)} {there:%Z}"
