"""Making a backup: write it, put it in its place, rehearse it, tell what came of it, and let go of old ones."""

import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from sqlalchemy import func, select, update

from app.config import Settings
from app.core.errors import Conflict, DeskError, Invalid
from app.db.session import Database
from app.db.session import now as database_now
from app.files.disk import sync_folder
from app.ops.backup import archive, keys, packing, places, rehearsal
from app.ops.models import Backup, BackupState

NAME = re.compile(r"atum-\d{8}T\d{6}Z\.tar\.age")
PART = ".part"
CAREFUL = 16 << 20  # bytes between two looks at what room is left

Pack = Callable[[archive.Writer, psycopg.Connection, str], packing.Packed]

log = logging.getLogger(__name__)


class Busy(Conflict):
    """A backup is being made at this moment. Wait for it, or look at: atum health"""


class Full(OSError):
    """There is no room on the disk for the backup; the ones before it are kept. Make room, then run: atum backup"""


def make(db: Database, settings: Settings, *, to: Path | None = None, tls: BinaryIO | None = None) -> dict[str, Any]:
    """Make one, here or at `to`; what came of it, as its row says. `tls` is a tar of the certificates. Raises Busy, Invalid."""
    folder = settings.data_dir / "backups"
    target = _allowed(to, settings) if to else None
    with alone(folder):
        _sweep(db, folder)
        identity = keys.identity(settings)
        row = _begin(db, target or folder, keys.recipient(identity))
        try:
            outcome = _made(settings, row, target or folder / row.name, identity, tls)
        except (DeskError, OSError) as wrong:
            outcome = {"state": BackupState.FAILED, "problem": words(wrong)}
        if target is None and outcome["state"] is not BackupState.FAILED:
            outcome |= _elsewhere(settings, folder / row.name, outcome["problem"])
        finished = _finish(db, row.id, outcome)
        if target is None:
            prune(db, folder, keep=settings.backup_keep)
    level = logging.ERROR if finished["problem"] else logging.INFO
    log.log(level, "backup: %s", finished["state"], extra={"backup": finished["name"], "reason": finished["problem"]})
    return finished


def clear(db: Database, settings: Settings) -> None:
    """Say of a backup that was interrupted that it was, unless one is being made."""
    folder = settings.data_dir / "backups"
    with suppress(Busy), alone(folder):
        _sweep(db, folder)


def prune(db: Database, folder: Path, *, keep: int) -> list[str]:
    """Let go of all but the newest `keep` good ones, and of all failed ones but the newest; the names of those that went."""
    with db.reading() as c:
        failed = set(c.execute(select(Backup.name).where(Backup.state == BackupState.FAILED)).scalars())
    names = sorted((path.name for path in folder.iterdir() if NAME.fullmatch(path.name)), reverse=True)
    old = [name for name in names if name not in failed][keep:] + [name for name in names if name in failed][1:]
    for name in old:
        (folder / name).unlink(missing_ok=True)
    return old


def _made(settings: Settings, row: Backup, path: Path, identity: str, tls: BinaryIO | None) -> dict[str, Any]:
    packed = _write(settings, path, keys.recipient(identity), row.began_at, tls)
    known = {"size": path.stat().st_size, "contents": packed.counts, "problem": packed.problem}
    try:
        rehearsal.rehearse(path, identity, folder=settings.rehearsals)
    except rehearsal.NoRoom as wrong:
        return known | {"state": BackupState.UNPROVEN, "problem": str(wrong)}
    except (DeskError, OSError) as wrong:
        return known | {"state": BackupState.FAILED, "problem": f"It could not be restored for practice. {words(wrong)}"}
    return known | {"state": BackupState.SOUND, "rehearsed_at": func.clock_timestamp()}


def _elsewhere(settings: Settings, archive: Path, problem: str | None) -> dict[str, Any]:
    """Copy it to where it is wanted as well, and let go of old ones there."""
    try:
        place = places.of(settings)
        if place is None:
            return {}
        place.put(archive)
        names = sorted((name for name in place.names() if NAME.fullmatch(name)), reverse=True)
        for name in names[settings.backup_keep :]:
            place.remove(name)
    except places.PlaceFailed as wrong:
        return {"problem": " ".join(filter(None, (problem, f"It could not be copied. {wrong.message}")))}
    return {"copied_to": settings.backup_to}


def _write(settings: Settings, path: Path, recipient: str, began: datetime, tls: BinaryIO | None) -> packing.Packed:
    def pack(writer: archive.Writer, c: psycopg.Connection, name: str) -> packing.Packed:
        return packing.pack(writer, c, name, settings, tls)

    return write(settings, path, recipient, began, pack)


def write(settings: Settings, path: Path, recipient: str, began: datetime, pack: Pack, **more: Any) -> packing.Packed:
    """Under another name until it is whole and on the disk. `more` is told in the manifest. Raises OSError, DeskError."""
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as file, packing.snapshot(settings.database_dsn) as (c, name):
            os.fchmod(file.fileno(), 0o600)
            manifest = packing.manifest(c, settings, recipient) | more
            with archive.writing(_Careful(file, part.parent), recipient, manifest, made=began.timestamp()) as writer:  # type: ignore[arg-type]
                packed = pack(writer, c, name)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
    return packed


class _Careful:
    """Stops before the disk is full: the desk needs what is left."""

    def __init__(self, file: BinaryIO, folder: Path) -> None:
        self._file, self._folder = file, folder
        self._left = 0

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            if rehearsal.free(self._folder) < CAREFUL:
                raise Full(Full.__doc__)
            self._left = CAREFUL
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time, and nothing is left locked by whoever is killed. Raises Busy."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield
    finally:
        os.close(handle)


def _sweep(db: Database, folder: Path) -> None:
    """What was being made when its process, or the machine, was ended."""
    for path in folder.glob(f"*{PART}"):
        path.unlink(missing_ok=True)
    with db.transaction() as s:
        ended = {"state": BackupState.FAILED, "ended_at": database_now(s), "problem": "It was interrupted."}
        s.execute(update(Backup).where(Backup.state == BackupState.RUNNING).values(**ended))


def _begin(db: Database, target: Path, recipient: str) -> Backup:
    with db.transaction() as s:
        now = database_now(s)
        name = f"atum-{now:%Y%m%dT%H%M%SZ}.tar.age" if target.is_dir() else str(target)
        row = Backup(name=name, state=BackupState.RUNNING, recipient=recipient, began_at=now)
        s.add(row)
        s.flush()
    return row


def _finish(db: Database, id: int, outcome: dict[str, Any]) -> dict[str, Any]:
    with db.transaction() as s:
        s.execute(update(Backup).where(Backup.id == id).values(ended_at=func.clock_timestamp(), **outcome))
    with db.reading() as c:
        return dict(c.execute(select(*Backup.__table__.columns).where(Backup.id == id)).mappings().one())


def _allowed(to: Path, settings: Settings) -> Path:
    """Where the archive may be written. Raises Invalid."""
    path, data = to.absolute(), settings.data_dir.resolve()
    if path.is_dir():
        raise Invalid(f"{path} is a folder. Give the name of a file in it.")
    if not path.parent.is_dir():
        raise Invalid(f"There is no folder {path.parent}. Make it, or choose another.")
    if path.resolve().is_relative_to(data) and not path.resolve().is_relative_to(data / "backups"):
        raise Invalid(f"{path} lies among what is backed up. Choose a place outside of {data}, or in {data / 'backups'}.")
    if not os.access(path.parent, os.W_OK):
        raise Invalid(f"The desk may not write to {path.parent}. Let uid {os.geteuid()} write there, or choose another folder.")
    return path


def words(wrong: Exception) -> str:
    if isinstance(wrong, DeskError):
        return wrong.message
    if isinstance(wrong, Full):
        return str(wrong)
    if isinstance(wrong, OSError) and wrong.strerror:
        return f"{wrong.filename}: {wrong.strerror}." if wrong.filename else f"{wrong.strerror}."
    return str(wrong)
