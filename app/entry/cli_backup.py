"""`atum backup …`: make one, look whether one is good, and print the key that they open with."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.config import Settings
from app.core.errors import NotFound
from app.db.session import now
from app.entry.cli_mail import Answer, database
from app.ops.backup import keys, making, rehearsal
from app.ops.models import BackupState


def add_to(verbs: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command and its verbs to the command line."""
    backup = verb("backup", make, "Make a backup of everything, and restore it for practice.", verbs)
    backup.add_argument("--to", type=Path, help="the file to write, instead of one in DATA_DIR/backups")
    backup.add_argument("--tls-fd", type=int, help=argparse.SUPPRESS)  # a tar of what only root may read
    under = backup.add_subparsers(metavar="VERB")
    verifying = verb("verify", verify, "Open a backup, check every part of it, and restore it for practice.", under)
    verifying.add_argument("file", type=Path)
    verifying.add_argument("--key", type=Path, help="a file with the key, where it is another desk's")
    verb("key", key, "Print the key that the backups open with; keep it somewhere else.", under)


def make(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, os.fdopen(os.dup(given.tls_fd) if given.tls_fd else os.open(os.devnull, 0), "rb") as tls:
        made = making.make(db, settings, to=given.to, tls=tls if given.tls_fd else None)
    good = made["state"] != BackupState.FAILED and not made["problem"]
    return int(not good), made if given.json else _words(made)


def verify(settings: Settings, given: argparse.Namespace) -> Answer:
    if not given.file.is_file():
        raise NotFound(f"There is no file {given.file} inside the container.")
    identity = keys.read(given.key) if given.key else keys.identity(settings)
    told = rehearsal.rehearse(given.file, identity, folder=settings.rehearsals).told()
    if given.json:
        return 0, told
    return 0, (
        f"The backup is good. It was restored for practice: {told['tables']} tables with {told['rows']} rows, "
        f"{told['files']} files and {told['mail']} large mails are as they were at "
        f"{told['taken_at']} (version {told['version']})."
    )


def key(settings: Settings, given: argparse.Namespace) -> Answer:
    identity = keys.identity(settings)
    with database(settings) as db, db.transaction() as s:
        keys.note_shown(s, identity, now=now(s))
    return 0, {"key": identity, "recipient": keys.recipient(identity)} if given.json else keys.printed(settings, identity)


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
