"""Backups that are made without anybody at a shell: each night, and when a page or a program asks.

The program `backups` only waits. Whether it is time is said here, by what the database knows of the backups before.
"""

from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.db.session import Session
from app.ops.backup import standing
from app.ops.backup.rules import due_at
from app.ops.models import Backup, BackupState

WORDS = "A backup begins within a few seconds."


def mark(settings: Settings) -> Path:
    """The file that the program `backups` looks at."""
    return settings.app_run / "backup-asked"


def ask(s: Session, settings: Settings, *, by: tuple[int, str], now: datetime) -> None:
    """Have one made now."""
    audit.record(s, Event.BACKUP_ASKED, now=now, by=by)
    mark(settings).parent.mkdir(parents=True, exist_ok=True)
    mark(settings).touch()


def was_asked(settings: Settings) -> bool:
    """Whether somebody asked; whoever hears it has to make one."""
    try:
        mark(settings).unlink()
    except FileNotFoundError:
        return False
    return True


def next_at(c: Connection | Session, settings: Settings, *, now: datetime) -> datetime | None:
    """When the next one is due, be it past; nothing where none is made by itself."""
    if settings.backup_schedule == "off":
        return None
    good = standing.of(c, settings, now=now).good_at
    failed = select(func.max(Backup.began_at)).where(Backup.state == BackupState.FAILED)
    tried = c.execute(failed.where(Backup.began_at > good) if good else failed).scalar()
    at, zone = time.fromisoformat(settings.backup_schedule), ZoneInfo(settings.tz)
    return due_at(at, zone, good=good, tried=tried, began=_began(settings, now))


def _began(settings: Settings, now: datetime) -> datetime:
    """When the desk was started."""
    try:
        return datetime.fromtimestamp((settings.app_run / "ready").stat().st_mtime, UTC)
    except FileNotFoundError:
        return now
