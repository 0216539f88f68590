"""How a link of the chain is made, and how a broken one is found."""

import hashlib
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

START = bytes(32)
COLUMNS = ("seq", "at", "kind", "actor_id", "actor", "ticket", "data")
WRITTEN_OUT = 10**16  # from here on PostgreSQL writes a float's digits out, so that it comes back as a whole number


@dataclass(frozen=True)
class Mark:
    """A checkpoint: the chain's end (number and hash of its last entry) on some day, and the signature over that."""

    day: date
    seq: int
    hash: bytes
    signature: bytes


@dataclass(frozen=True)
class Verdict:
    """What became of a chain: how many entries are as they were written, the first that isn't, and the reason in words.

    `bad_checkpoint` is the day of the first checkpoint that is not signed by the key it was checked with.
    """

    rows: int
    first_bad_row: int | None = None
    bad_checkpoint: date | None = None
    reason: str | None = None

    @property
    def whole(self) -> bool:
        return self.reason is None


def link(before: bytes, entry: Mapping[str, Any]) -> bytes:
    """SHA-256 over the hash before and the whole entry (seq, at, kind, actor_id, actor, ticket, data) in one fixed form."""
    return hashlib.sha256(before + canonical({key: _stamp(entry[key]) for key in COLUMNS}).encode()).digest()


def around_seq(entry: Mapping[str, Any]) -> tuple[str, str]:
    """That form, without the entry's number: what comes before it and what comes after it."""
    before = canonical({key: _stamp(entry[key]) for key in COLUMNS if key < "seq"})
    after = canonical({key: _stamp(entry[key]) for key in COLUMNS if key > "seq"})
    return f'{before[:-1]},"seq":', f",{after[1:]}"


def canonical(value: Any) -> str:
    """JSON in the one form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def plain(value: Any) -> Any:
    """The same value in the form in which PostgreSQL gives it back: what is hashed today has to be hashed alike in ten years.

    It knows no NUL, no half of a surrogate pair, no negative zero, and writes out whole numbers however large.
    """
    if isinstance(value, str):
        return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def judge(
    entries: Iterable[Mapping[str, Any]],
    *,
    head: tuple[int, bytes],
    marks: Sequence[Mark] = (),
    genuine: Callable[[Mark], bool] = lambda _: True,
) -> Verdict:
    """Follow the chain from its start.

    `head` is where the chain says it ends: number and hash of its last entry, so that a missing end is noticed too. A chain
    that was made anew from somewhere on is whole in itself, but does not go through the hashes that were signed.
    """
    signed = deque(sorted((mark for mark in marks if genuine(mark)), key=lambda mark: mark.seq))
    seq, before, sure = 0, START, 0
    for entry in entries:
        if entry["seq"] != seq + 1 or entry["before_hash"] != before or entry["hash"] != link(before, entry):
            return Verdict(seq, seq + 1, reason=f"Row {seq + 1} is not what was written, or is missing.")
        seq, before = seq + 1, entry["hash"]
        while signed and signed[0].seq <= seq:
            mark = signed.popleft()
            if mark.seq and mark.hash != before:
                words = f"Some of the rows from {sure + 1} to {seq} are not those that were signed on {mark.day}."
                return Verdict(sure, sure + 1, reason=words)
            sure = mark.seq
    if signed:
        return Verdict(seq, seq + 1, reason=f"The rows from {seq + 1} to {signed[-1].seq} are missing; they were signed.")
    if head != (seq, before):
        first = min(seq, head[0]) + 1
        return Verdict(first - 1, first, reason=f"The last row is {seq}, and it is not the end that was noted (row {head[0]}).")
    forged = min((mark.day for mark in marks if not genuine(mark)), default=None)
    if forged is None:
        return Verdict(seq)
    words = f"The checkpoint of {forged} is not signed with this key: it is forged, or the desk's secret key was replaced."
    return Verdict(seq, bad_checkpoint=forged, reason=words)


def written(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry in words that JSON can hold; `read` makes it an entry again."""
    hashes = {"before_hash": entry["before_hash"].hex(), "hash": entry["hash"].hex()}
    return {key: _stamp(entry[key]) for key in COLUMNS} | hashes


def read(told: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ValueError, KeyError or TypeError where it is none."""
    hashes = {"before_hash": bytes.fromhex(told["before_hash"]), "hash": bytes.fromhex(told["hash"])}
    return {key: told[key] for key in COLUMNS} | hashes


def _number(value: float) -> int | float | str:
    if not math.isfinite(value):
        return str(value)
    return int(value) if value.is_integer() and abs(value) >= WRITTEN_OUT else value or 0.0


def _stamp(value: Any) -> Any:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
