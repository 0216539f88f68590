"""Appending to the chain.

Entries wait in the session until it commits: the chain's end is locked last and for the shortest time, so that two
transactions never wait for each other in a circle.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import event

from app.audit import rules
from app.audit.models import Event
from app.db.session import Session, finish

DESK = "desk"  # the actor, where no person was
CHANNEL = "desk_events"  # whoever listens hears the last entry's number when it is committed
_RECORD = "SELECT desk_record(%(before_seq)s::text[], %(after_seq)s::text[])"


def record(
    s: Session,
    kind: Event,
    *,
    now: datetime,
    by: tuple[int, str] | None = None,
    ticket: int | None = None,
    **data: Any,
) -> None:
    """Remember that this happened. `by` is a person's id and name; `data` is what JSON can hold."""
    actor_id, actor = by or (None, DESK)
    entry = {"at": now, "kind": kind.value, "actor_id": actor_id, "actor": rules.plain(actor), "ticket": ticket}
    s.info.setdefault("audit", []).append(entry | {"data": rules.plain(data)})


@event.listens_for(Session, "before_commit")
def _append(s: Session) -> None:
    if s.in_nested_transaction():
        return  # a savepoint (attempts.py); the chain is for what is committed
    waiting: list[dict[str, Any]] = s.info.pop("audit", [])
    if not waiting:
        return
    before, after = zip(*map(rules.around_seq, waiting), strict=True)
    finish(s, _RECORD, {"before_seq": list(before), "after_seq": list(after)})


@event.listens_for(Session, "after_rollback")
def _drop(s: Session) -> None:
    if not s.in_nested_transaction():
        s.info.pop("audit", None)
