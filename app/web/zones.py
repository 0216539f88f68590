"""The time zone that somebody asks for."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query

from app.core.errors import Invalid

ZoneName = Annotated[str | None, Query(max_length=100, description="Like Europe/Berlin; the desk's own unless it is given")]


def zone(name: str) -> ZoneInfo:
    """The zone of this name. Raises Invalid."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise Invalid(f"There is no time zone {name!r}. Write one like Europe/Berlin.") from None
