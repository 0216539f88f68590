"""Asking for a backup from a process that can't make one: only root can read the certificates."""

from datetime import datetime
from pathlib import Path

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.db.session import Session

WORDS = "A backup begins within a few seconds."


def mark(settings: Settings) -> Path:
    """The file that the program `backups` looks at."""
    return settings.app_run / "backup-asked"


def ask(s: Session, settings: Settings, *, by: tuple[int, str], now: datetime) -> None:
    """Have one made now."""
    audit.record(s, Event.BACKUP_ASKED, now=now, by=by)
    mark(settings).parent.mkdir(parents=True, exist_ok=True)
    mark(settings).touch()
