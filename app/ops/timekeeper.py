"""Once a second the database's time is held against the machine's own pace. What does not fit is told once."""

import logging
import time
from datetime import datetime

from app.db.session import Database
from app.db.session import now as database_now
from app.sla import timekeeping
from app.sla.rules.timekeeping import Reading, stepped

LOOK, WRITE = 1.0, 60.0  # seconds

log = logging.getLogger(__name__)


class Timekeeper:
    """Any number of these may run."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._last: Reading | None = None
        self._seen: datetime | None = None
        self._written = 0.0

    def step(self) -> None:
        """Look at the time, if that is a second ago, and write it down each minute."""
        after = time.monotonic()
        if self._last and after - self._last.after < LOOK:
            return
        with self._db.transaction() as s:
            reading = Reading(database_now(s), after, time.monotonic())
            by = stepped(self._last, reading) if self._last else None
            if self._last and by is None and after - self._written < WRITE:
                self._last = reading
                return
            if self._last is None:
                self._seen = timekeeping.last_step(s)
            row, news = timekeeping.note(s, by, seen=self._seen)
        self._last, self._seen, self._written = reading, row.stepped_at, after
        if news and row.stepped_by:
            log.error("the database's clock was put", extra={"seconds": round(row.stepped_by.total_seconds(), 1)})
