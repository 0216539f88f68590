"""The backup before an upgrade: the database alone, of a revision that this version only knows how to migrate; and the way back.

No migration touches files, mails or secrets, so they stay where they are. It is kept beside the others under a name of its own.
"""

import re
from datetime import datetime
from pathlib import Path

from app.config import Settings
from app.core.errors import NotFound
from app.ops.backup import databases, keys, making, packing, rehearsal, restoring
from app.ops.backup.checking import Checked

NAME = re.compile(r"before-(\w+)-(\d{8}T\d{6}Z)\.tar\.age")
KEPT = 3
UNPROVEN = ".unproven"


def make(settings: Settings, revision: str, *, now: datetime) -> Path:
    """Make one and restore it for practice. Raises DeskError, OSError, NoRoom, and then there is none."""
    identity = keys.identity(settings)
    path = settings.data_dir / "backups" / f"before-{revision}-{now:%Y%m%dT%H%M%SZ}.tar.age"
    with making.alone(path.parent):
        for left in path.parent.glob(f"before-*{UNPROVEN}"):
            left.unlink()
        unproven = path.with_name(path.name + UNPROVEN)
        making.write(settings, unproven, keys.recipient(identity), now, _pack(settings), only=packing.DATABASE)
        rehearsal.rehearse(unproven, identity, folder=settings.rehearsals)
        unproven.replace(path)
    for old in there(settings)[KEPT:]:
        old.unlink()
    return path


def there(settings: Settings) -> list[Path]:
    """Those that are kept, the last one first."""
    found = [path for path in (settings.data_dir / "backups").glob("before-*") if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name.rpartition("-")[2], reverse=True)


def revision_of(path: Path) -> str:
    """The revision of the database in it, as its name says."""
    named = NAME.fullmatch(path.name)
    return named[1] if named else ""


def check(settings: Settings, path: Path) -> Checked:
    """Read all of it, and change nothing. Raises Refused, NoRoom, NotFound."""
    return restoring.check(path, _identity(settings), settings)


def lay_ready(settings: Settings, path: Path) -> Checked:
    """Fill a database beside the desk's own and compare. Raises Refused, ProgramFailed, NotAllowed, NotFound."""
    dsn = databases.make_next(settings.database_dsn)
    checked = rehearsal.restore(path, _identity(settings), dsn)
    restoring.analyze(dsn)
    return checked


def _pack(settings: Settings) -> making.Pack:
    return lambda writer, c, name: packing.pack_database(writer, c, name, settings)


def _identity(settings: Settings) -> str:
    place = keys.path(settings)
    if not place.exists():
        raise NotFound(f"The key that it opens with is not there: {place}. Nothing was changed.")
    return place.read_text().strip()
