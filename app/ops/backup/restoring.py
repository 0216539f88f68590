"""Everything of a restore that is done beside the desk: nothing that it lives on is touched, and any step may be cut short."""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import psycopg
from psycopg import sql
from sqlalchemy import func, update

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core import ids
from app.db.session import Database
from app.db.session import now as database_now
from app.files.disk import Blobs
from app.ops import migrate
from app.ops.backup import checking, databases, packing, postgres, rehearsal
from app.ops.backup.archive import Member, Refused
from app.ops.backup.checking import Checked
from app.ops.models import Backup, BackupState

_OURS = "SELECT schemaname, tablename FROM pg_tables WHERE tableowner = current_user AND schemaname <> 'pg_catalog'"
NEXT = ".next"  # after the name of a folder that is about to become the desk's own


class NoRoom(Refused):
    """There is no room on the disk for what the backup holds. Nothing was changed. Make room, then try again."""


def check(archive: Path, identity: str, settings: Settings) -> Checked:
    """Read the whole archive, and write nothing. Raises Refused."""
    missing = 0

    def take(member: Member) -> None:
        nonlocal missing
        kind, _, rest = member.name.partition("/")
        if kind in checking.BLOBS and not _path(settings, kind, rest).exists():
            missing += member.size

    found = checking.check(archive, identity, take)
    size = int(found.manifest.get("database_size", 0)) if settings.embedded_database else 0
    needed = missing + int(size * rehearsal.ROOM)
    if rehearsal.free(settings.data_dir) < needed:
        raise NoRoom(
            f"There is no room on the disk for what the backup holds ({needed >> 20} MB). Nothing was changed. "
            "Make room, then try again."
        )
    return found


def prepare(archive: Path, identity: str, settings: Settings, *, tls: BinaryIO | None = None) -> Checked:
    """Fill a database beside the desk's own, compare it, bring it to this version, and lay the files and secrets ready.

    Files have their content for a name, so they may lie among the desk's own. What only root may have is put into `tls` as a tar.
    Raises Refused, ProgramFailed, NotAllowed.
    """
    ready = settings.data_dir / (packing.SECRETS + NEXT)
    dsn = databases.make_next(settings.database_dsn)
    with postgres.restoring(dsn) as filling, tarfile.open(fileobj=tls or io.BytesIO(), mode="w") as certificates:

        def take(member: Member) -> None:
            kind, _, rest = member.name.partition("/")
            if kind == packing.DATABASE:
                while piece := member.read():
                    filling.write(piece)
            elif kind in checking.BLOBS:
                _keep(settings, kind, rest, member)
            elif kind == packing.SECRETS:
                _lay(ready / Path(rest).name, member.whole())
            else:
                content = member.whole()
                info = tarfile.TarInfo(rest)
                info.size, info.mode = len(content), 0o600
                certificates.addfile(info, io.BytesIO(content))

        checked = checking.check(archive, identity, take)
    rehearsal.compare(checked, dsn)
    _bring_up_to_date(dsn, checked, archive)
    if checked.manifest.get("only") == packing.DATABASE:
        _have_files(dsn, settings)
    return checked


def abandon(settings: Settings) -> None:
    """Let go of what was laid ready and is not wanted."""
    databases.drop(settings.database_dsn, databases.NEXT)


def forget(settings: Settings) -> None:
    """Let go of the desk that was there before the last restore."""
    databases.drop(settings.database_dsn, databases.BEFORE)


def _bring_up_to_date(dsn: str, checked: Checked, archive: Path) -> None:
    migrate.up(dsn)
    db = Database(dsn, pool=1, patience=3600, name="restore")
    try:
        with db.transaction() as s:
            # The backup was still being made when its own row was saved. It is proven now, by this.
            proven = {
                "state": BackupState.SOUND,
                "ended_at": func.now(),
                "rehearsed_at": func.now(),
                "size": archive.stat().st_size,
            }
            s.execute(update(Backup).where(Backup.state == BackupState.RUNNING).values(**proven))
            at, version = checked.manifest.get("taken_at"), checked.manifest.get("version")
            audit.record(s, Event.DESK_RESTORED, now=database_now(s), archive=archive.name, taken_at=at, version=version)
    finally:
        db.close()
    analyze(dsn)


def analyze(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as c:  # without it a list is read row by row until the night
        for schema, table in c.execute(_OURS).fetchall():
            c.execute(sql.SQL("ANALYZE {}.{}").format(sql.Identifier(schema), sql.Identifier(table)))


def _have_files(dsn: str, settings: Settings) -> None:
    """Raises Refused where files are missing here that this database names."""
    with psycopg.connect(dsn) as c:
        for kind, query in packing.NAMED.items():
            for (blob,) in c.execute(query):
                if not _path(settings, kind, blob).exists():
                    raise Refused(
                        f"This backup is of before an upgrade and holds the database alone, and of its files {blob} is not here. "
                        "Nothing was changed. Use a backup of the night, which holds everything."
                    )


def _keep(settings: Settings, kind: str, rest: str, member: Member) -> None:
    """Put a file among the desk's own, unless it is there and whole."""
    path = _path(settings, kind, rest)
    if path.exists() and path.stat().st_size == member.size and ids.sha256(path.read_bytes()) == path.name:
        return
    Blobs(settings.data_dir / kind).put_pieces(_pieces(member))


def _pieces(member: Member) -> Iterator[bytes]:
    while piece := member.read():
        yield piece


def _path(settings: Settings, kind: str, rest: str) -> Path:
    return Blobs(settings.data_dir / kind).path(Path(rest).name)


def _lay(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
