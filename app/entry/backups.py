"""The `backups` program: has a backup made each night, when one was missed, and when somebody asks for one.

It only looks at the time and at one file. The work is done by `atum backup`, in a process that ends again, that has the disk and
the processors when nobody else wants them.
"""

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from app import config
from app.config import Settings
from app.core import clock
from app.ops.backup import asking
from app.ops.backup.rules import due_at

LOOK_EVERY = 2.0  # seconds
IMAGE = Path(__file__).parents[2] / "image"
COMMAND = ["nice", "-n", "10", "ionice", "-c", "3", str(IMAGE / "atum"), "backup"]


class Nights:
    """What is due, and what became of it. `run` makes a backup and answers whether it is good."""

    def __init__(self, settings: Settings, run: Callable[[], bool], *, began: datetime, good: datetime | None) -> None:
        self._settings, self._run = settings, run
        self._began, self._good = began, good
        self._tried: datetime | None = None
        self._asked = self._mark()

    def look(self, now: datetime) -> None:
        """Make one, if it is time or somebody asked."""
        asked = self._mark()
        if asked != self._asked or self._due(now):
            self._asked = asked
            good = self._run()
            self._good, self._tried = (now, None) if good else (self._good, now)

    def _due(self, now: datetime) -> bool:
        if self._settings.backup_schedule == "off":
            return False
        at, zone = time.fromisoformat(self._settings.backup_schedule), ZoneInfo(self._settings.tz)
        return now >= due_at(at, zone, good=self._good, tried=self._tried, began=self._began)

    def _mark(self) -> float | None:
        try:
            return asking.mark(self._settings).lstat().st_mtime
        except OSError:
            return None


def last_good(now: datetime) -> datetime | None:
    """When the last good backup was begun, as health says inside of the container; nothing where it doesn't say."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
        connection.request("GET", "/api/v1/health")
        age = json.loads(connection.getresponse().read())["components"]["backup"]["age"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    return now - timedelta(seconds=age) if isinstance(age, int) else None


def backup() -> bool:
    """Make one, and say in the log what came of it."""
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    said = " ".join((done.stdout + done.stderr).split())
    print(f"{'ERROR' if done.returncode else 'INFO'}: {said or f'the backup ended with {done.returncode}'}", file=sys.stderr)
    return done.returncode == 0


def main() -> None:
    settings = config.load()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    began = clock.now()
    while not (settings.app_run / "ready").exists() and not stop.wait(LOOK_EVERY):
        pass
    nights = Nights(settings, backup, began=began, good=last_good(began))
    while not stop.wait(LOOK_EVERY):
        nights.look(clock.now())


if __name__ == "__main__":
    main()
