"""`atum sla …`: what is promised, and is every deadline what its history says?"""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from app.config import Settings
from app.entry.cli_mail import Answer, database
from app.sla import queries, rechecking


def add_to(promises: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    verb("policies", policies, "The policies in the order in which they are tried, and whom they are for.", promises)
    verb("verify", verify, "Replay every open clock and tell those whose row differs; nothing is changed.", promises)


def policies(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.reading() as c:
        found = queries.listed(c)
    if given.json:
        return 0, found
    lines = [
        f"{each['position']:>3}  {each['name']:<30}  {'' if each['active'] else 'off: '}{_whom(each['match'])}" for each in found
    ]
    return 0, "\n".join(lines) or "No policy yet."


def _whom(match: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} {' or '.join(words)}" for name, words in match.items()) or "every ticket"


def verify(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        found = list(rechecking.every(db))
        with db.reading() as c:
            clocks = rechecking.open_clocks(c)
    if given.json:
        return int(bool(found)), {"open_clocks": clocks, "differences": [asdict(drift) for drift in found]}
    total = f"{len(found)} difference{'' if len(found) == 1 else 's'} among {clocks} open clocks"
    return int(bool(found)), "\n".join([*map(rechecking.words, found), total])
