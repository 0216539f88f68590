"""The rules of time zones as this machine knows them; governments change them, and an update brings that."""

import hashlib
import zoneinfo
from functools import cache
from importlib import resources
from pathlib import Path


@cache
def rules_of(zone: str) -> bytes:
    """SHA-256 of the data that ZoneInfo reads for this zone: another one where its rules changed, none where it is gone."""
    parts = zone.split("/")
    for folder in zoneinfo.TZPATH:
        place = Path(folder, *parts)
        if place.is_file():
            return hashlib.sha256(place.read_bytes()).digest()
    place_in_package = resources.files("tzdata").joinpath("zoneinfo", *parts)
    return hashlib.sha256(place_in_package.read_bytes()).digest() if place_in_package.is_file() else b""
