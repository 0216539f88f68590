"""The parts of a span, for people: when it was open, and which days were not as usual."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

TICK = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Part:
    """An opening [from_at, to_at) that counts `length`, or a day on which nothing did. `note` is the day's name, if it has one.

    `count` is how many such parts this one stands for: the last of a long list stands for all that follow.
    """

    from_at: datetime
    to_at: datetime
    length: timedelta
    note: str = ""
    count: int = 1


def at(tick: int) -> datetime:
    """Microseconds since 1970 as an instant in UTC."""
    return EPOCH + tick * TICK


def joined(parts: Iterable[Part]) -> Iterator[Part]:
    """Openings that touch are one, unless a day has a name."""
    held: Part | None = None
    for part in parts:
        if held and held.to_at == part.from_at and held.length and part.length and held.note == part.note:
            held = replace(held, to_at=part.to_at, length=held.length + part.length)
            continue
        if held:
            yield held
        held = part
    if held:
        yield held
