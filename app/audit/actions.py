"""Appending to the chain.

Entries wait in the session until it commits: the chain's end is locked last and for the shortest time, so that two
transactions never wait for each other in a circle.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import event, insert, select, update

from app.audit import rules
from app.audit.models import Entry, Event, Head
from app.db.session import Session

DESK = "desk"  # the actor, where no person was


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
    entry = {"at": now, "kind": kind, "actor_id": actor_id, "actor": actor, "ticket": ticket, "data": data}
    s.info.setdefault("audit", []).append(entry)


@event.listens_for(Session, "before_commit")
def _append(s: Session) -> None:
    waiting: list[dict[str, Any]] = s.info.pop("audit", [])
    if not waiting:
        return
    s.flush()
    head = s.execute(select(Head).where(Head.id == 1).with_for_update().execution_options(populate_existing=True)).scalar_one()
    seq, last = head.seq, head.hash
    for entry in waiting:
        seq += 1
        entry.update(seq=seq, before_hash=last)
        entry["hash"] = last = rules.link(last, entry)
    s.execute(insert(Entry), waiting)
    s.execute(update(Head).where(Head.id == 1).values(seq=seq, hash=last))


@event.listens_for(Session, "after_rollback")
def _drop(s: Session) -> None:
    s.info.pop("audit", None)
