"""Time zones by their names, and times as people tell them by the clocks of one."""

import re
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

_UTC = re.compile(r"\b\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC\b", re.ASCII)
_OLD = ("Brazil", "Canada", "Chile", "Etc", "Mexico", "US")  # places go by their continent or ocean
_NO_PLACES = {"Factory", "localtime", "posixrules"}


@cache
def known() -> frozenset[str]:
    """The names that this machine knows of places; whatever it takes itself for (tzfile(5)) is none."""
    return frozenset(available_timezones()) - _NO_PLACES


@cache
def offered() -> list[str]:
    """Those that are worth a line in a list: places, and UTC."""
    return ["UTC", *sorted(name for name in known() if "/" in name and name.partition("/")[0] not in _OLD)]


def of(name: str | None, otherwise: tzinfo) -> tzinfo:
    """The zone of this name, or the other where there is none: a name that was known may be gone after an update."""
    if name is not None:
        with suppress(ValueError, KeyError, OSError):
            return ZoneInfo(name)
    return otherwise


def told(at: datetime, zone: tzinfo) -> str:
    """Day and minute by the clocks of `zone`, and which of the two where they show the same time twice."""
    there = at.astimezone(zone)
    return f"{there.day} {there:%b %Y, %H:%M}" + (f" {there:%Z}" if twice(there) else "")


def named(at: datetime, zone: tzinfo) -> str:
    """The same with the zone's name, for where nothing around it says which clocks are meant."""
    return f"{told(at, zone)} ({zone})"


def retold(words: str, zone: tzinfo) -> str:
    """A sentence of the desk's own that tells times in UTC ("2026-11-24 09:00 UTC"), by the clocks of somebody's zone."""
    return words if str(zone) == "UTC" else _UTC.sub(lambda found: _elsewhere(found[0], zone), words)


def _elsewhere(told: str, zone: tzinfo) -> str:
    try:
        return named(datetime.fromisoformat(told.removesuffix(" UTC")).replace(tzinfo=UTC), zone)
    except (ValueError, OverflowError):  # the like of it in a server's words
        return told


def twice(at: datetime) -> bool:
    """Whether the clocks of its zone show this time twice: they are put back in that night."""
    return at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset()


def typed(words: str, zone: tzinfo) -> datetime:
    """What somebody means who writes a time by the clocks of `zone`: of two that these show alike the first.

    A time with an offset of its own is that one. A ValueError says what is wrong with the words.
    """
    try:
        found = datetime.fromisoformat(words)
        at = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("That is no time. Write it like 2026-11-24T09:00.") from None
    if found.tzinfo is None and at.astimezone(zone).replace(tzinfo=None, fold=0) != found:
        raise ValueError(f"There is no {found:%H:%M} on {found:%Y-%m-%d} in {zone}: clocks are put forward. Choose another time.")
    return at
