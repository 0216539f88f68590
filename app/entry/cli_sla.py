"""`atum sla …`: what is promised, is every deadline what its history says, and what would other promises come to?"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.config import Settings
from app.core.errors import Invalid
from app.db.session import now
from app.entry.cli_mail import Answer, database
from app.sla import queries, rechecking
from app.sla.rules.preview import Standing, Verdict
from app.tickets import preview as previews
from app.web import drafts
from app.web.shapes.previews import Draft, Preview

NOBODY = (0, "preview")  # who saves what is taken back


def add_to(promises: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the noun of the command line."""
    verb("policies", policies, "The policies in their order, whom they are for, and who is told when.", promises)
    trial = verb("preview", preview, "Try other policies and calendars on past and open tickets; nothing is changed.", promises)
    trial.add_argument("draft", metavar="FILE", help="the draft in JSON, as /api/v1/sla/preview takes it; - reads it from stdin")
    trial.add_argument("--days", type=int, help="of tickets that are over (30)")
    verb("verify", verify, "Replay every open clock and tell those whose row differs; nothing is changed.", promises)


def policies(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db, db.reading() as c:
        found = queries.listed(c)
    if given.json:
        return 0, found
    return 0, "\n".join(line for each in found for line in _listed(each)) or "No policy yet."


def _listed(policy: dict[str, Any]) -> Iterator[str]:
    yield f"{policy['position']:>3}  {policy['name']:<30}  {'' if policy['active'] else 'off: '}{_whom(policy['match'])}"
    for step in policy["steps"]:
        often = f", every {step['repeat_minutes']} minutes up to {step['most']} times" if step["repeat_minutes"] else ""
        open_ = f", when calendar {step['calendar_id']} is open" if step["calendar_id"] else ""
        yield f"       {step['metric']} {step['threshold']}: {', '.join(step['recipients'])}{often}{open_}"


def _whom(match: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} {' or '.join(words)}" for name, words in match.items()) or "every ticket"


def verify(settings: Settings, given: argparse.Namespace) -> Answer:
    with database(settings) as db:
        found = list(rechecking.every(db))
        with db.reading() as c:
            clocks, waiting = rechecking.open_clocks(c)
    if given.json:
        return int(bool(found)), {"open_clocks": clocks, "waiting": waiting, "differences": [asdict(drift) for drift in found]}
    total = f"{len(found)} difference{'' if len(found) == 1 else 's'} among {clocks} open clocks"
    total += f"; {waiting} more wait to be reckoned by their changed calendar" if waiting else ""
    return int(bool(found)), "\n".join([*map(rechecking.words, found), total])


def preview(settings: Settings, given: argparse.Namespace) -> Answer:
    draft = _draft(given.draft, given.days)
    with database(settings) as db, db.transaction() as s:
        at = now(s)
        found = previews.trial(s, drafts.saving(s, draft, by=NOBODY, now=at), days=draft.days, now=at)
    if given.json:
        return 0, Preview.model_validate(asdict(found)).model_dump(mode="json")
    return 0, "\n".join(_told(found, draft.days))


def _draft(name: str, days: int | None) -> Draft:
    try:
        raw = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        said = json.loads(raw)
    except OSError as wrong:
        raise Invalid(f"The draft {name} can't be read: {wrong.strerror}. Name a file, or - to give it on stdin.") from None
    except (ValueError, RecursionError) as wrong:
        raise Invalid(f"The draft {name} can't be read: it is no JSON ({wrong}).") from None
    if days is not None and isinstance(said, dict):
        said["days"] = days
    try:
        return Draft.model_validate(said)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the draft"
        raise Invalid(f"The draft can't be: {where}: {first['msg']}.") from None


def _told(found: previews.Preview, days: int) -> Iterator[str]:
    yield f"{found.tickets} tickets: those of the last {days} days, and all open ones" + (", the newest" if found.cut else "")
    for metric in sorted(found.today.keys() | found.then.keys()):
        today, then = (Counter(side.get(metric, {})) for side in (found.today, found.then))
        counts = (f"{verdict} {today[verdict]} -> {then[verdict]}" for verdict in Verdict if today[verdict] or then[verdict])
        yield f"  {metric}: {', '.join(counts)}"
    for ticket in found.differing:
        for each in ticket.differences:
            yield f"  ticket {ticket.number}, {each.metric} {each.cycle}: {_stands(each.today)} -> {_stands(each.then)}"
    if found.left_out:
        yield f"  and {found.left_out} tickets more"
    if not found.differing:
        yield "  nothing would be different"


def _stands(standing: Standing | None) -> str:
    if standing is None:
        return "not promised"
    return standing.verdict + (f", due {standing.due_at:%Y-%m-%d %H:%M:%S} UTC" if standing.due_at else "")
