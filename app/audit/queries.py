"""Reading the chain."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from app.audit import rules
from app.audit.models import Entry, Head
from app.db.session import Session


def of_ticket(s: Session, ticket: int) -> Sequence[Entry]:
    """A ticket's timeline, oldest first."""
    return s.scalars(select(Entry).where(Entry.ticket == ticket).order_by(Entry.seq)).all()


def told(entry: Entry) -> dict[str, Any]:
    """An entry as programs are told it."""
    return {"seq": entry.seq, "at": entry.at, "kind": entry.kind, "actor": entry.actor, "data": entry.data}


def first_broken(s: Session) -> int | None:
    """The first entry that was changed, moved or removed; None for a chain that is whole."""
    head = s.execute(select(Head.seq, Head.hash)).one()
    return rules.first_broken(whole(s), head=(head.seq, head.hash))


def whole(s: Session) -> Iterator[dict[str, Any]]:
    """Every entry in order, a few at a time."""
    table = Entry.__table__
    found = s.execute(select(table).order_by(table.c.seq), execution_options={"yield_per": 1000})
    try:
        for row in found.mappings():
            yield {str(name): value for name, value in row.items()}
    finally:
        found.close()
