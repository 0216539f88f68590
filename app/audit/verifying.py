"""Checking the whole chain, in the database or in an export, a page of rows at a time: a million need no more memory."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from app.audit import checkpoints, queries, rules
from app.audit.queries import End
from app.audit.rules import Mark, Verdict
from app.audit.seal import Check
from app.core.errors import Invalid

FORM = "atum-desk-audit-1"


@dataclass(frozen=True)
class Checked:
    """The verdict, and what it was reached with: the public key and the last checkpoint."""

    verdict: Verdict
    public: bytes
    last: Mark | None


def database(c: Connection, public: bytes, *, kept: Iterable[Mark] = ()) -> Checked:
    """Check the chain, its end and every checkpoint; those `kept` elsewhere too. It may grow meanwhile."""
    end, marks = queries.end(c), checkpoints.every(c)
    entries = queries.entries(c, upto=max(end.seq, end.last))
    found = rules.judge(entries, head=(end.seq, end.hash), marks=[*marks, *kept], genuine=Check(public))
    return Checked(found, public, marks[-1] if marks else None)


def export(c: Connection, public: bytes) -> Iterator[str]:
    """The whole audit as lines of JSON: what it is, the checkpoints, then every row in order."""
    end = queries.end(c)
    yield from opening(end, checkpoints.every(c), public)
    for entry in queries.entries(c, upto=end.seq):
        yield line(entry)


def opening(end: End, marks: Iterable[Mark], public: bytes) -> Iterator[str]:
    """The lines that an export begins with."""
    yield json.dumps({"form": FORM, "public_key": public.hex(), "head": {"seq": end.seq, "hash": end.hash.hex()}})
    for mark in marks:
        yield json.dumps({"checkpoint": checkpoints.told(mark)})


def line(entry: dict[str, Any]) -> str:
    """One row of an export."""
    return json.dumps(rules.written(entry), ensure_ascii=False)


def file(source: Iterator[str], public: bytes | None, *, kept: Iterable[Mark] = ()) -> Checked:
    """The same for an export's lines. Without a `public` key, the export's own is used. Raises Invalid where it is none."""
    try:
        first = json.loads(next(source))
        if first["form"] != FORM:
            raise ValueError
        head = (int(first["head"]["seq"]), bytes.fromhex(first["head"]["hash"]))
        key = public or bytes.fromhex(first["public_key"])
        marks: list[Mark] = []
        entries = _entries(source, marks)
        found = rules.judge(entries, head=head, marks=[*marks, *kept], genuine=Check(key))
    except (ValueError, KeyError, TypeError, StopIteration):
        raise Invalid("This is not an export of the audit, or not a whole one. Make one with: atum audit export") from None
    return Checked(found, key, marks[-1] if marks else None)


def checkpoints_of(source: Iterable[str]) -> list[Mark]:
    """The checkpoints that somebody kept: lines of JSON as `atum audit checkpoint --json` says them. Raises Invalid."""
    try:
        return [_mark(json.loads(each)) for each in source if each.strip()]
    except (ValueError, KeyError, TypeError):
        raise Invalid("These are no checkpoints. Keep what this says: atum audit checkpoint --json") from None


def _entries(source: Iterator[str], marks: list[Mark]) -> Iterator[dict[str, Any]]:
    """What follows the first line: checkpoints, which go to `marks`, then entries one by one."""
    told = (json.loads(each) for each in source)
    for each in told:
        if "checkpoint" not in each:
            return (rules.read(entry) for entry in chain([each], told))
        marks.append(_mark(each["checkpoint"]))
    return iter(())


def _mark(told: dict[str, Any]) -> Mark:
    day = date.fromisoformat(told["day"])
    return Mark(day, int(told["seq"]), bytes.fromhex(told["hash"]), bytes.fromhex(told["signature"]))
