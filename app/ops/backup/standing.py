"""How it stands with backups: for health, the page, and whoever is to be warned. Nothing heavy is imported here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from app.audit.models import Entry
from app.config import Settings
from app.db.session import Session
from app.ops.models import Backup, BackupKey, BackupState

LATE = timedelta(hours=26)  # a night and two hours for the work
KEEP_THE_KEY = (
    "Nobody has kept the key of the backups elsewhere yet; without it they are worth nothing. Print it with: atum backup key"
)
OFF = "No backup is made by itself (BACKUP_SCHEDULE=off)."


@dataclass(frozen=True)
class Standing:
    """The last backup that can be relied on, the last try, what is amiss in words, and whether the key was printed."""

    good_at: datetime | None
    proven_at: datetime | None
    last: BackupState | None
    failed: str | None
    late: str | None
    key_kept: bool

    @property
    def amiss(self) -> str | None:
        return self.failed or self.late

    def figures(self, now: datetime) -> dict[str, Any]:
        age = self.good_at and round((now - self.good_at).total_seconds())
        proven = self.proven_at and self.proven_at.isoformat()
        return {"age": age, "rehearsed_at": proven, "last": self.last, "key_kept": self.key_kept}


def of(c: Connection | Session, settings: Settings, *, now: datetime) -> Standing:
    """How it stands now."""
    over = select(Backup.state, Backup.problem, Backup.recipient).where(Backup.state != BackupState.RUNNING)
    last = c.execute(over.order_by(Backup.id.desc()).limit(1)).one_or_none()
    good = select(func.max(Backup.began_at), func.max(Backup.rehearsed_at)).where(
        Backup.state.in_((BackupState.SOUND, BackupState.UNPROVEN))
    )
    good_at, proven_at = c.execute(good).one()
    failed = f"The last backup failed: {last.problem}" if last and last.state is BackupState.FAILED else None
    if last and not failed and last.problem:
        failed = f"The last backup is not all it should be: {last.problem}"
    key = select(BackupKey.recipient).where(BackupKey.recipient == (last.recipient if last else ""))
    return Standing(
        good_at, proven_at, last.state if last else None, failed, _late(c, settings, good_at, now), bool(c.execute(key).first())
    )


def rows(c: Connection | Session, *, limit: int, before: int | None = None) -> Sequence[Any]:
    """The backups, the last one first."""
    wanted = select(*Backup.__table__.columns).order_by(Backup.id.desc()).limit(limit)
    return c.execute(wanted.where(Backup.id < before) if before else wanted).mappings().all()


def _late(c: Connection | Session, settings: Settings, good_at: datetime | None, now: datetime) -> str | None:
    """What is to be said of a night without one. A new desk is given its first night."""
    if settings.backup_schedule == "off":
        return None
    since = good_at or c.execute(select(Entry.at).order_by(Entry.seq).limit(1)).scalar()
    if since is None or now - since <= LATE:
        return None
    if good_at is None:
        return "No backup has been made yet."
    return f"The last good backup is of {good_at:%Y-%m-%d %H:%M} UTC."
