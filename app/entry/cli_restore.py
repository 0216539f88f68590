"""`atum restore FILE`, the greater half: everything that the desk's user may do. app/entry/restore.py is the other, root's."""

import argparse
import os
import socket
from collections.abc import Callable
from pathlib import Path

from app.config import Settings
from app.core.errors import Conflict, Invalid, NotFound
from app.entry import asking
from app.entry.boot import tell
from app.entry.cli_mail import Answer
from app.ops.backup import checking, keys, restoring
from app.ops.backup.archive import WrongKey

CHECKED, GO, PREPARED = "checked\n", "go\n", "prepared\n"


class NeedsRoot(Conflict):
    """A restore stops and starts the desk's programs, which only root may do: docker compose exec desk atum restore FILE"""


class NotMeant(Conflict):
    """That is not this desk's name. Nothing was changed."""


def add_to(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    restore = verb("restore", run, "Put back a backup in place of everything that is here.")
    restore.add_argument("file", type=Path, nargs="?")
    restore.add_argument("--key", type=Path, help="a file with the key; without it this desk's own, or one that is typed")
    restore.add_argument("--yes", action="store_true", help="don't ask for the desk's name")
    restore.add_argument("--forget", action="store_true", help="let go of what was here before the last restore")
    restore.add_argument("--control", type=int, help=argparse.SUPPRESS)  # the other half's end of a socket
    restore.add_argument("--tls-fd", type=int, help=argparse.SUPPRESS)  # where certificates go, as a tar


def run(settings: Settings, given: argparse.Namespace) -> Answer:
    if given.control is None:
        raise NeedsRoot
    if given.forget:
        restoring.forget(settings)
        return 0, {"forgotten": True} if given.json else "What was here before the last restore is gone."
    with socket.socket(fileno=given.control) as other, other.makefile("rw") as words:
        archive = _readable(given.file)
        identity = _identity(settings, given.key, archive)
        found = restoring.check(archive, identity, settings)
        _meant(settings, found, given)
        words.write(CHECKED)
        words.flush()
        if words.readline() != GO:
            return 1, ""
        tell(settings, "starting", "The desk is being restored", "putting back a backup")
        try:
            with os.fdopen(given.tls_fd, "wb") as tls:
                restoring.prepare(archive, identity, settings, tls=tls)
        except BaseException:
            restoring.abandon(settings)
            tell(settings, "unhealthy", "The desk does not answer right now", "it is being restarted; try again in a few seconds")
            raise
        words.write(PREPARED)
        words.flush()
    told = found.told()
    return (
        0,
        told if given.json else f"The desk is as it was on {found.when}. The one before is kept until: atum restore --forget",
    )


def _readable(file: Path | None) -> Path:
    if file is None:
        raise Invalid("Say which file: atum restore FILE")
    if not file.is_file():
        raise NotFound(f"There is no file {file} inside the container. Copy it there: docker compose cp FILE desk:/data/backups/")
    if not os.access(file, os.R_OK):
        raise Invalid(
            f"The desk (uid {os.geteuid()}) may not read {file}. "
            "Copy it to where it may: docker compose cp FILE desk:/data/backups/"
        )
    return file


def _identity(settings: Settings, file: Path | None, archive: Path) -> str:
    """The key in a file, or this desk's own where it fits, or one that somebody types. Raises WrongKey."""
    if file is not None:
        return keys.read(_readable(file))
    own = keys.path(settings)
    if own.exists():
        identity = own.read_text().strip()
        try:
            checking.manifest(archive, identity)
        except WrongKey:
            asking.tell("This backup was made for another key than this desk's own.")
        else:
            return identity
    return asking.unseen("The key of the backup (AGE-SECRET-KEY-1…)").strip()


def _meant(settings: Settings, found: checking.Checked, given: argparse.Namespace) -> None:
    """Whether everything that is here is really to be replaced. Raises NotMeant."""
    told = found.told()
    asking.tell(
        f"The backup is whole: {told['url']} as it was on {found.when}, {told['tables']} tables with {told['rows']} rows, "
        f"{told['files']} files and {told['mail']} large mails (version {told['version']})."
    )
    if given.yes:
        return
    if asking.line(f"It takes the place of everything here. Type this desk's name ({settings.host}) to go on") != settings.host:
        raise NotMeant
