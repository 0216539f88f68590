"""`atum backup …`: make one, look whether one is good, and print the key that they open with."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.config import Settings
from app.core.errors import NotFound
from app.db.session import Database, now
from app.entry.asking import tell
from app.entry.cli_mail import Answer, database
from app.ops.backup import keys, making, nights, places, rehearsal
from app.ops.models import BackupState

ASK_AGAIN = 3600  # seconds at most: clocks are put, and a night may have been missed


def add_to(verbs: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command and its verbs to the command line."""
    backup = verb("backup", make, "Make a backup of everything, and restore it for practice.", verbs)
    backup.add_argument("--to", type=Path, help="the file to write, instead of one in DATA_DIR/backups")
    backup.add_argument("--tls-fd", type=int, help=argparse.SUPPRESS)  # a tar of what only root may read
    backup.add_argument("--by-night", action="store_true", help=argparse.SUPPRESS)  # what the program `backups` asks
    under = backup.add_subparsers(metavar="VERB")
    verifying = verb("verify", verify, "Open a backup, check every part of it, and restore it for practice.", under)
    verifying.add_argument("file", type=Path)
    verifying.add_argument("--key", type=Path, help="a file with the key, where it is another desk's")
    fetching = verb("fetch", fetch, "Copy a backup from BACKUP_TO to DATA_DIR/backups.", under)
    fetching.add_argument("name", nargs="?", help="which one; the newest where none is named")
    verb("key", key, "Print the key that the backups open with; keep it somewhere else.", under)


def make(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        if given.by_night:
            return 0, by_night(db, settings, given)
        made = _made(db, settings, given)
    return int(not _good(made)), made if given.json else _words(made)


def by_night(db: Database, settings: Settings, given: argparse.Namespace) -> str:
    """Make one if it is time, or somebody asked. In how many seconds to ask again."""
    making.clear(db, settings)
    with db.transaction() as s:
        due = nights.next_at(s, settings, now=now(s))
        wanted = nights.was_asked(settings) or (due is not None and due <= now(s))
    if wanted:
        made = _made(db, settings, given)
        tell(f"{'INFO' if _good(made) else 'ERROR'}: {' '.join(_words(made).split())}")
        with db.transaction() as s:
            due = nights.next_at(s, settings, now=now(s))
    with db.transaction() as s:
        seconds = (due - now(s)).total_seconds() if due else ASK_AGAIN
    return str(round(min(max(seconds, 2), ASK_AGAIN)))


def verify(settings: Settings, given: argparse.Namespace) -> Answer:
    if not given.file.is_file():
        raise NotFound(f"There is no file {given.file} inside the container.")
    identity = keys.read(given.key) if given.key else keys.identity(settings)
    found = rehearsal.rehearse(given.file, identity, folder=settings.rehearsals)
    told = found.told()
    if given.json:
        return 0, told
    return 0, (
        f"The backup is good. It was restored for practice: {told['tables']} tables with {told['rows']} rows, "
        f"{told['files']} files and {told['mail']} large mails are as they were on "
        f"{found.when} (version {told['version']})."
    )


def fetch(settings: Settings, given: argparse.Namespace) -> Answer:
    place = places.of(settings)
    if place is None:
        raise NotFound("BACKUP_TO is not set, so there is nowhere to fetch a backup from.")
    there = sorted((name for name in place.names() if making.NAME.fullmatch(name)), reverse=True)
    name = given.name or next(iter(there), None)
    if name not in there:
        raise NotFound(f"There is no such backup in {settings.backup_to}. There are: {', '.join(there) or 'none'}.")
    to = settings.data_dir / "backups" / name
    to.parent.mkdir(mode=0o700, exist_ok=True)
    place.fetch(name, to)
    return 0, {"file": str(to)} if given.json else f"{to}\nRestore it with: atum restore {to}"


def key(settings: Settings, given: argparse.Namespace) -> Answer:
    identity = keys.identity(settings)
    with database(settings) as db, db.transaction() as s:
        keys.note_shown(s, identity, now=now(s))
    return 0, {"key": identity, "recipient": keys.recipient(identity)} if given.json else keys.printed(settings, identity)


def _made(db: Database, settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    if given.tls_fd is None:
        return making.make(db, settings, to=given.to)
    with os.fdopen(os.dup(given.tls_fd), "rb") as tls:
        return making.make(db, settings, to=given.to, tls=tls)


def _good(made: dict[str, Any]) -> bool:
    return made["state"] != BackupState.FAILED and not made["problem"]


def _words(made: dict[str, Any]) -> str:
    """What came of it, one line each."""
    said = [f"{made['name']}: {made['state']}"]
    if made["size"] is not None:
        said.append(f"{made['size'] / 1e6:.1f} MB in {(made['ended_at'] - made['began_at']).total_seconds():.1f} s")
    if made["state"] is BackupState.SOUND:
        counts = made["contents"]
        said.append(f"Restored for practice: {counts['tables']} tables with {counts['rows']} rows are as they were.")
    if made["problem"]:
        said.append(made["problem"])
    return "\n".join(said)
