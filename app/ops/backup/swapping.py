"""How a restored desk takes the place of the one before: decided by one file, done by renaming, finished by the next start.

DATA_DIR/restore.json says that everything was laid ready and has to be taken. It is root's, as are the folders' names: until it
is there a start lets go of what lies ready, and as soon as it is there a start takes it. So whenever the power fails, one of the
two desks is whole. This is also a step of every start (boot.d/15-restore), before anything could be made anew where a folder is
missing; the database follows as soon as it answers (`finish`).
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg

from app.config import Settings, load
from app.files.disk import sync_folder
from app.ops import storage
from app.ops.backup import databases

JOURNAL = "restore.json"
NEXT, BEFORE = ".next", ".before-restore"
FOLDERS = {"secrets": "app"}  # and whose they are


def make_room(data: Path, owner_of: Callable[[str], storage.Owner] = storage.system_owner) -> None:
    """Empty folders for what is laid ready. Nothing is decided any more that an earlier restore decided."""
    (data / JOURNAL).unlink(missing_ok=True)
    sync_folder(data)
    for name, user in FOLDERS.items():
        storage.remove(data / (name + NEXT))
        (data / (name + NEXT)).mkdir(mode=0o700)
        os.chown(data / (name + NEXT), *owner_of(user))


def decide(data: Path, now: datetime) -> None:
    """From here on the restored desk is the desk."""
    part = data / f"{JOURNAL}.part"
    with part.open("w") as file:
        json.dump({"decided_at": now.isoformat(timespec="seconds")}, file)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o644)
    part.replace(data / JOURNAL)
    sync_folder(data)


def decided(data: Path) -> str | None:
    """When the last restore decided, if one did."""
    try:
        return str(json.loads((data / JOURNAL).read_text())["decided_at"])
    except FileNotFoundError:
        return None


def folders(data: Path) -> list[str]:
    """Take what lies ready where that is decided, and let go of it where it isn't; the names of the folders that were taken."""
    taken = []
    for name in FOLDERS:
        own, ready, before = (data / (name + suffix) for suffix in ("", NEXT, BEFORE))
        if not ready.is_dir():
            continue
        if decided(data) is None:
            storage.remove(ready)
            continue
        if own.exists():
            storage.remove(before)
            own.rename(before)
        ready.rename(own)
        taken.append(name)
    sync_folder(data)
    return taken


def finish(settings: Settings) -> bool:
    """Have the restored database take its place, where that is decided and not done yet. Raises DatabaseGone."""
    if decided(settings.data_dir) is None:
        return False
    try:
        with psycopg.connect(settings.database_dsn, connect_timeout=3) as c:
            name = databases.name_of(databases.beside(settings.database_dsn))
            if c.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                return False
    except psycopg.OperationalError:
        pass  # between the two renames there is none of this name
    return databases.swap(settings.database_dsn)


def forget(data: Path) -> None:
    """Let go of the folders of the desk before."""
    for name in FOLDERS:
        storage.remove(data / (name + BEFORE))


def main(settings: Settings | None = None) -> int:
    """The step of a start."""
    data = (settings or load()).data_dir
    if data.is_dir() and (taken := folders(data)):
        print(f"the restore that was decided on {decided(data)} is being finished: {', '.join(taken)} are the backup's now")
    return 0


if __name__ == "__main__":
    sys.exit(main())
