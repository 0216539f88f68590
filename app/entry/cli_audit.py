"""`atum audit …`: is what was recorded still what was recorded?"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.audit import actions as audit
from app.audit import checkpoints, verifying
from app.audit.models import Event
from app.audit.rules import Mark
from app.audit.verifying import Checked
from app.config import Settings
from app.core.errors import Invalid
from app.db.session import now
from app.entry.cli_mail import Answer, database
from app.ops import notary, roles


def add_to(audits: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    verifying_ = verb("verify", verify, "Check the audit chain and name the first bad row.", audits)
    verifying_.add_argument("--file", type=Path, help="check an export instead of the database, on any machine")
    verifying_.add_argument("--key", help="the desk's public key (64 hexadecimal digits), for --file")
    verifying_.add_argument("--kept", type=Path, help="checkpoints that were kept elsewhere, to check against as well")
    verb("checkpoint", checkpoint, "Sign the end of the chain, once a day; keep what this says elsewhere.", audits)
    exporting = verb("export", export, "Write the whole audit as lines of JSON, for `atum audit verify --file`.", audits)
    exporting.add_argument("--to", type=Path, help="the file to write (standard output otherwise)")


def verify(settings: Settings, given: argparse.Namespace) -> Answer:
    kept = _kept(given.kept)
    if given.file:
        with given.file.open(encoding="utf-8") as source:
            checked, problem = verifying.file(iter(source), _key(given.key), kept=kept), None
    else:
        with database(settings) as db, db.reading() as c:
            problem = roles.standing(c).problem
            checked = verifying.database(c, _key(given.key) or notary.seal(settings).public, kept=kept)
    code = int(not checked.verdict.whole)
    return code, _told(checked, problem) if given.json else _words(checked, problem, own_key=bool(given.file and not given.key))


def checkpoint(settings: Settings, given: argparse.Namespace) -> Answer:
    seal = notary.seal(settings)
    with database(settings) as db, db.transaction() as s:
        checkpoints.make(s, seal, now=now(s))
        last = checkpoints.every(s.connection())[-1]
    told = checkpoints.told(last) | {"public_key": seal.public.hex()}
    return 0, told if given.json else "\n".join(f"{name}: {value}" for name, value in told.items())


def export(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        with db.transaction() as s:
            audit.record(s, Event.EXPORTED, now=now(s), what="audit", form="jsonl")
        with db.reading() as c:
            lines = verifying.export(c, notary.seal(settings).public)
            if given.to is None:
                sys.stdout.writelines(f"{line}\n" for line in lines)
                return 0, ""
            with given.to.open("w", encoding="utf-8") as target:
                count = sum(bool(target.write(f"{line}\n")) for line in lines)
    return 0, {"lines": count, "file": str(given.to)} if given.json else f"Wrote {count} lines to {given.to}."


def _kept(path: Path | None) -> list[Mark]:
    if path is None:
        return []
    with path.open(encoding="utf-8") as source:
        return verifying.checkpoints_of(_objects(source.read()))


def _objects(text: str) -> Iterator[str]:
    """The JSON objects of a text, whether each stands on a line of its own or is spread over several."""
    decoder, at = json.JSONDecoder(), 0
    while text := text[at:].lstrip():
        try:
            _, at = decoder.raw_decode(text)
        except ValueError:
            at = len(text)
        yield text[:at]


def _key(given: str | None) -> bytes | None:
    try:
        return bytes.fromhex(given) if given else None
    except ValueError:
        raise Invalid("A public key has 32 bytes, written as 64 hexadecimal digits.") from None


def _told(checked: Checked, problem: str | None) -> dict[str, Any]:
    verdict = checked.verdict
    return {
        "whole": verdict.whole,
        "rows": verdict.rows,
        "first_bad_row": verdict.first_bad_row,
        "bad_checkpoint": verdict.bad_checkpoint and verdict.bad_checkpoint.isoformat(),
        "reason": verdict.reason,
        "public_key": checked.public.hex(),
        "last_checkpoint": checked.last and checkpoints.told(checked.last),
        "role_problem": problem,
    }


def _words(checked: Checked, problem: str | None, *, own_key: bool) -> str:
    verdict, last = checked.verdict, checked.last
    if verdict.whole:
        lines = [f"The audit chain is whole: {verdict.rows} rows."]
    elif verdict.first_bad_row is not None:
        lines = [f"The audit chain is broken at row {verdict.first_bad_row}. {verdict.reason}"]
    else:
        lines = [f"The audit chain is whole, but a checkpoint is not. {verdict.reason}"]
    lines.append(f"Last checkpoint: {last.day}, row {last.seq}, {last.hash.hex()}" if last else "There is no checkpoint yet.")
    lines.append(f"Public key: {checked.public.hex()}" + (" (the export's own word; give --key to be sure)" if own_key else ""))
    return "\n".join([*lines, *([f"Note: {problem}"] if problem else [])])
