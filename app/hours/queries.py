"""Calendars as arithmetic."""

import json
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.hours import rules
from app.hours.models import CalendarVersion


def hours(version: CalendarVersion) -> rules.Hours:
    """The arithmetic of one version; worked out once a process, since versions never change."""
    return _worked_out(json.dumps(version.spec, sort_keys=True))


@lru_cache(maxsize=64)
def _worked_out(spec: str) -> rules.Hours:
    said = json.loads(spec)
    return rules.hours(ZoneInfo(said["zone"]), said["week"])
