"""A look that somebody asks for on a page: a process of its own, that ends; and the findings of the last look of all."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core import clock
from app.db.session import Session
from app.db.session import now as time_of
from app.ops.doctor.findings import Examination

MOST = 30  # seconds after which a look that left nothing is over
COMMAND = (sys.executable, "-m", "app.entry.cli", "doctor", "--json")
WORDS = "Everything is being looked at; that takes up to 20 seconds."


def ask(s: Session, settings: Settings, *, by: tuple[int, str]) -> None:
    """Have everything looked at now, unless that is being done."""
    audit.record(s, Event.DOCTOR_ASKED, now=time_of(s), by=by)
    if not running(settings):
        settings.app_run.mkdir(parents=True, exist_ok=True)
        _mark(settings).touch()
        Thread(target=_run, name="doctor", daemon=True).start()


def running(settings: Settings) -> bool:
    """Whether a look that was asked for has left nothing yet."""
    asked = _time_of(_mark(settings))
    return asked > _time_of(_result(settings)) and clock.epoch() - asked < MOST


def keep(settings: Settings, found: Examination) -> None:
    """Leave what was found for the page. Where nobody may write there, nobody reads it either."""
    with suppress(OSError):
        unfinished = _result(settings).with_suffix(".unfinished")
        unfinished.write_text(json.dumps(found.told()))
        unfinished.rename(_result(settings))


def last(settings: Settings) -> dict[str, Any] | None:
    """What the last look since the start found, as Examination.told."""
    try:
        told: dict[str, Any] = json.loads(_result(settings).read_text())
    except (OSError, ValueError):
        return None
    return told


def _run() -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=MOST, check=False)


def _time_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _mark(settings: Settings) -> Path:
    return settings.app_run / "doctor-asked"


def _result(settings: Settings) -> Path:
    return settings.app_run / "doctor.json"
