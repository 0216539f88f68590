"""`atum sla …`: is every deadline what its history says?"""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app.config import Settings
from app.entry.cli_mail import Answer, database
from app.sla import rechecking


def add_to(promises: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    verb("verify", verify, "Replay every open clock and tell those whose row differs; nothing is changed.", promises)


def verify(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        found = list(rechecking.every(db))
        with db.reading() as c:
            clocks = rechecking.open_clocks(c)
    if given.json:
        return int(bool(found)), {"open_clocks": clocks, "differences": [asdict(drift) for drift in found]}
    total = f"{len(found)} difference{'' if len(found) == 1 else 's'} among {clocks} open clocks"
    return int(bool(found)), "\n".join([*map(rechecking.words, found), total])
