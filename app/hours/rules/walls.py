"""What a clock on the wall shows, as an instant.

Where the clocks go forward, a time that doesn't exist is the first instant after the gap; where they go back, the earlier one
opens and the later one closes. A second of working time is a real second, so 00:00-04:00 is three hours long on the one night and
five on the other.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def instant(day: date, minutes: int, zone: tzinfo, *, later: bool = False) -> datetime:
    """The UTC instant of a wall-clock time `minutes` after midnight; `later` chooses the second of two."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    there = wall.replace(tzinfo=zone, fold=int(later)).astimezone(UTC)
    if there.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return there
    return _after_gap(wall, zone)


def exists(day: date, zone: tzinfo) -> bool:
    """Whether a zone has this date: those that moved to the other side of the date line left one out."""
    return instant(day, 0, zone) < instant(day + timedelta(days=1), 0, zone)


def _after_gap(wall: datetime, zone: tzinfo) -> datetime:
    """The instant of the change that jumps over `wall`, to the second: zones change at whole seconds."""
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        jumped = middle.astimezone(zone).replace(tzinfo=None, fold=0) > wall
        before, after = (before, middle) if jumped else (middle, after)
    return after
