"""Restoring an archive for practice: into a cluster of its own that is thrown away, and comparing what came of it."""

import shutil
from pathlib import Path

import psycopg

from app.ops.backup import checking, fingerprints, packing, postgres
from app.ops.backup.archive import Member, Refused
from app.ops.backup.checking import Checked

ROOM = 1.3  # times the database's size, for indexes that are built
RESERVE = 512 << 20  # bytes that stay free on the disk whatever is done here
LEAST_PART = 0.03  # of the disk, where that is less


class NoRoom(Exception):
    """The disk has no room to rehearse in."""


class Differs(Refused):
    """What was restored is not what was backed up."""


def rehearse(archive: Path, identity: str, *, folder: Path) -> Checked:
    """Restore the archive below `folder`, and compare. Raises Refused, ProgramFailed, NoRoom."""
    size = int(checking.manifest(archive, identity).get("database_size", 0))
    if free(folder) < size * ROOM:
        raise NoRoom(f"There is no room on the disk to restore {size >> 20} MB for practice.")
    with postgres.scratch(folder) as dsn:
        return restore(archive, identity, dsn)


def restore(archive: Path, identity: str, dsn: str) -> Checked:
    """Check the archive and fill this empty database from it, in one reading; then compare. Raises Refused, ProgramFailed."""
    with postgres.restoring(dsn) as filling:

        def take(member: Member) -> None:
            if member.name.startswith(f"{packing.DATABASE}/"):
                while piece := member.read():
                    filling.write(piece)

        checked = checking.check(archive, identity, take)
    compare(checked, dsn)
    return checked


def compare(checked: Checked, dsn: str) -> None:
    """Raises Differs where a table of this database is not what the archive says."""
    with psycopg.connect(dsn, options=f"{fingerprints.SETTINGS} -c statement_timeout=0") as c:
        amiss = fingerprints.differences(checked.contents, fingerprints.of(c))
    if amiss:
        raise Differs(f"What was restored is not what was backed up: {'; '.join(amiss[:5])}.")


def free(folder: Path) -> int:
    """Bytes that may be used of the disk that this folder lies on."""
    usage = shutil.disk_usage(folder)
    return usage.free - min(RESERVE, int(usage.total * LEAST_PART))
