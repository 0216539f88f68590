"""Making calendars."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from app.db.session import Session
from app.hours import rules
from app.hours.models import Calendar, CalendarVersion

ROUND_THE_CLOCK: Sequence[Sequence[Sequence[str]]] = [[["00:00", "24:00"]]] * 7
EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")  # a calendar's first version holds for all of its past


def add(s: Session, name: str, *, zone: str, week: Sequence[Sequence[Sequence[str]]], now: datetime) -> Calendar:
    """A calendar with its first version. Raises BadHours for a week that can't be, ZoneInfoNotFoundError for a zone."""
    rules.hours(ZoneInfo(zone), week)
    calendar = Calendar(name=name, created_at=now)
    s.add(calendar)
    s.flush()
    spec = {"zone": zone, "week": week}
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).digest()
    s.add(CalendarVersion(calendar_id=calendar.id, effective_from=EVER, spec=spec, hash=digest))
    s.flush()
    return calendar
