"""Reading the chain."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, text

from app.audit.models import Entry, Head
from app.db.session import Session

PAGE = 1000  # rows
BEFORE_ALL = -(2**63)


_PAGE = text(
    """
    SELECT seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS at, kind, actor_id, actor, ticket,
           CAST(data AS text) AS data, before_hash, hash
    FROM audit_event WHERE seq > :after AND seq <= :upto ORDER BY seq LIMIT :limit
    """
)


class End(NamedTuple):
    """Where the chain says it ends, and the number of the last row there is."""

    seq: int
    hash: bytes
    last: int


def of_ticket(s: Session, ticket: int, *which: ColumnElement[bool], most: int | None = None) -> Sequence[Entry]:
    """A ticket's timeline, oldest first; of its entries only `which`, and only the first of them."""
    return s.scalars(select(Entry).where(Entry.ticket == ticket, *which).order_by(Entry.seq).limit(most)).all()


def told(entry: Entry) -> dict[str, Any]:
    """An entry as programs are told it."""
    return {"seq": entry.seq, "at": entry.at, "kind": entry.kind, "actor": entry.actor, "data": entry.data}


def end(c: Connection) -> End:
    """Both by one statement: a transaction that appends changes them together."""
    last = select(func.coalesce(func.max(Entry.seq), 0)).scalar_subquery()
    row = c.execute(select(Head.seq, Head.hash, last.label("last"))).one()
    return End(row.seq, row.hash, row.last)


def entries(c: Connection, *, upto: int) -> Iterator[dict[str, Any]]:
    """Every entry in order, a page at a time: what is written never changes, so no snapshot needs to be held.

    Nothing an owner may have written there makes this fail: what can't be read is handed out as it is found.
    """
    after = BEFORE_ALL
    while found := page(c, after=after, upto=upto):
        yield from found
        after = found[-1]["seq"]


def page(c: Connection, *, after: int, upto: int) -> list[dict[str, Any]]:
    """The next entries in order."""
    rows = c.execute(_PAGE, {"after": after, "upto": upto, "limit": PAGE}).mappings()
    return [{**row, "data": _json(row["data"])} for row in rows]


def _json(written: str) -> Any:
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return written
