"""Time zones as the pinned data has them, whatever the machine's say: Morocco's last change is younger than many machines."""

from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import whenever

whenever.reset_tzpath([])
whenever.clear_tzcache()


@cache
def zone(key: str) -> ZoneInfo:
    """A zone by its name."""
    with resources.files("tzdata").joinpath("zoneinfo", *key.split("/")).open("rb") as f:
        return ZoneInfo.from_file(f, key=key)
