"""`atum fsck`: whether rows, files and the audit agree with each other."""

import argparse
from collections.abc import Callable
from dataclasses import asdict

from app.config import Settings
from app.entry.cli_mail import Answer, database
from app.intake.sweeping import Sweeper
from app.ops import fsck


def add_to(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    made = verb("fsck", check, "Read every file, mail and link between rows, and say what is not as it has to be.")
    made.add_argument("--sweep", action="store_true", help="first remove the files that no row has named for a month")


def check(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        if given.sweep:
            Sweeper(db, settings).turn()
        found = list(fsck.look(db, settings))
    if given.json:
        return int(bool(found)), {"findings": [asdict(one) for one in found]}
    lines = [f"{one.check}: {one.what}\n    {one.mend}" for one in found]
    return int(bool(found)), "\n".join([*lines, f"{len(found)} finding{'' if len(found) == 1 else 's'}"])
