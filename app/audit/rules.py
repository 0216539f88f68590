"""How a link of the chain is made, and how a broken one is found."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

START = bytes(32)


def link(before: bytes, entry: Mapping[str, Any]) -> bytes:
    """SHA-256 over the hash before and the whole entry (seq, at, kind, actor_id, actor, ticket, data) in one fixed form."""
    whole = {key: _plain(entry[key]) for key in ("seq", "at", "kind", "actor_id", "actor", "ticket", "data")}
    return hashlib.sha256(before + json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()).digest()


def first_broken(entries: Iterable[Mapping[str, Any]], *, head: tuple[int, bytes]) -> int | None:
    """The sequence number of the first entry (in order, from the start) that is not what it was when it was written.

    `head` is where the chain says it ends: number and hash of its last entry, so that a missing end is noticed too.
    """
    before, expected = START, 1
    for entry in entries:
        if entry["seq"] != expected or entry["before_hash"] != before or entry["hash"] != link(before, entry):
            return expected
        before, expected = entry["hash"], expected + 1
    return None if head == (expected - 1, before) else expected


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
