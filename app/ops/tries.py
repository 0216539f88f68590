"""How often an authority may be asked: what came of it lately, kept in a file, so that no restart forgets it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FIRST, MOST = timedelta(minutes=1), timedelta(hours=12)
# Let's Encrypt takes five failures an hour, and nobody knows what else has asked for this name.
IN_AN_HOUR = 4
LIMITED = "rateLimited"


@dataclass(frozen=True)
class Tries:
    """`of` is what was asked for: other settings begin anew. Times are ISO 8601. Failures are counted since the last success."""

    of: str
    at: str | None = None
    failures: int = 0
    since: str | None = None
    lately: tuple[str, ...] = ()
    said: str | None = None
    next_at: str | None = None


def failed(tries: Tries, said: str, now: datetime, *, chance: float) -> Tries:
    """Wait twice as long as the last time. `chance` (0 to 1) spreads those who failed together."""
    failures, lately = tries.failures + 1, (*tries.lately, now.isoformat())[-IN_AN_HOUR:]
    wait = min(FIRST * 2 ** min(failures - 1, 20), MOST) * (1 + chance / 4)
    if LIMITED in said:
        wait = max(wait, timedelta(hours=1))
    next_at = max(now + wait, _room_at(lately, now))
    return Tries(tries.of, now.isoformat(), failures, tries.since or now.isoformat(), lately, said, next_at.isoformat())


def succeeded(tries: Tries, now: datetime) -> Tries:
    return Tries(tries.of, now.isoformat())


def may_at(tries: Tries, now: datetime, *, asked: bool) -> datetime:
    """When the next try may be made; sooner where somebody asks for it, but never too often."""
    if asked or tries.next_at is None:
        return _room_at(tries.lately, now)
    # A clock that was put back must not keep us waiting for longer than it ever would have.
    return min(datetime.fromisoformat(tries.next_at), now + MOST * 1.25)


def read(path: Path, of: str) -> Tries:
    """What is known of tries for this; nothing of any other."""
    try:
        known = json.loads(path.read_text())
        tries = Tries(**{each.name: _frozen(known, each.name) for each in fields(Tries) if each.name in known})
        for text in (tries.at, tries.since, tries.next_at, *tries.lately):
            datetime.fromisoformat(text) if text else None
    except (OSError, ValueError, TypeError):
        return Tries(of)
    return tries if tries.of == of else Tries(of)


def text(tries: Tries) -> bytes:
    """As the file has it."""
    return json.dumps(asdict(tries)).encode()


def _room_at(lately: tuple[str, ...], now: datetime) -> datetime:
    if len(lately) < IN_AN_HOUR:
        return now
    return min(datetime.fromisoformat(lately[-IN_AN_HOUR]), now) + timedelta(hours=1)


def _frozen(known: Mapping[str, Any], name: str) -> Any:
    value = known[name]
    return tuple(value) if isinstance(value, list) else value
