"""The time zone that somebody is told times in: the one they ask for, or their own, or the desk's."""

from datetime import tzinfo
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from fastapi import Query

from app.config import Settings
from app.core import zones
from app.core.errors import Invalid

ZoneName = Annotated[str | None, Query(max_length=100, description="Like Europe/Berlin; one's own unless it is given")]


class Somebody(Protocol):
    """Whose zone it is, as a row or as they are known by a token."""

    @property
    def zone(self) -> str | None: ...


def zone_of(me: Somebody | None, settings: Settings) -> tzinfo:
    """Where somebody is, or where the desk is."""
    return zones.of(me.zone if me else None, ZoneInfo(settings.tz))


def asked(name: str | None, me: Somebody, settings: Settings) -> tzinfo:
    """The zone of this name, or without one where the asker is. Raises Invalid."""
    if name is None:
        return zone_of(me, settings)
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise Invalid(f"There is no time zone {name!r}. Write one like Europe/Berlin.") from None
