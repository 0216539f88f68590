"""Calendars as arithmetic."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.hours import rules
from app.hours.models import CalendarVersion


def hours(version: CalendarVersion) -> rules.Hours:
    """The arithmetic of one version; worked out once a process, since versions never change."""
    return of(version.spec)


def of(spec: Mapping[str, Any]) -> rules.Hours:
    """The arithmetic of what a version says."""
    return _worked_out(json.dumps(spec, sort_keys=True))


@lru_cache(maxsize=64)
def _worked_out(spec: str) -> rules.Hours:
    said = json.loads(spec)
    return rules.hours(ZoneInfo(said["zone"]), said["week"], said.get("closed", ()), said.get("instead", ()))
