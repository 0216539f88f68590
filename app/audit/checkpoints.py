"""The chain's end, signed once a day: whoever kept a copy elsewhere can tell a chain that was made anew."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from app.audit.models import Checkpoint, Head
from app.audit.rules import Mark
from app.audit.seal import Seal
from app.db.session import Session


def make(s: Session, seal: Seal, *, now: datetime) -> bool:
    """Sign where the chain ends, if nobody has done so this day (of UTC). Any number of processes may try at once."""
    day = now.astimezone(UTC).date()
    if s.get(Checkpoint, day) is not None:
        return False
    seq, end = s.execute(select(Head.seq, Head.hash)).one()
    row = {"day": day, "seq": seq, "hash": end, "signature": seal.sign(day, seq, end), "made_at": now}
    made = s.execute(insert(Checkpoint).values(row).on_conflict_do_nothing().returning(Checkpoint.day))
    return made.one_or_none() is not None


def every(c: Connection) -> Sequence[Mark]:
    """Every checkpoint, oldest first."""
    rows = c.execute(select(Checkpoint.day, Checkpoint.seq, Checkpoint.hash, Checkpoint.signature).order_by(Checkpoint.day))
    return [Mark(row.day, row.seq, row.hash, row.signature) for row in rows]


def told(mark: Mark) -> dict[str, Any]:
    """A checkpoint in words that JSON can hold."""
    return {"day": mark.day.isoformat(), "seq": mark.seq, "hash": mark.hash.hex(), "signature": mark.signature.hex()}
