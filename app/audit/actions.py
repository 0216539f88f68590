"""Appending to the chain.

Entries wait in the session until it commits: the chain's end is locked last and for the shortest time, so that two
transactions never wait for each other in a circle.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import event

from app.audit import rules
from app.audit.models import Event
from app.db.session import Session, finish

DESK = "desk"  # the actor, where no person was
CHANNEL = "desk_events"  # whoever listens hears the last entry's number when it is committed
_RECORD = """
SELECT desk_record(
    %(at)s::timestamptz[], %(kind)s::text[], %(actor_id)s::bigint[], %(actor)s::text[], %(ticket)s::bigint[], %(data)s::jsonb[],
    %(before_seq)s::text[], %(after_seq)s::text[]
)
"""


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
    for entry in waiting:
        entry["before_seq"], entry["after_seq"] = rules.around_seq(entry)
    columns = {name: [entry[name] for entry in waiting] for name in waiting[0]}
    columns["data"] = [json.dumps(data) for data in columns["data"]]
    finish(s, _RECORD, columns)


@event.listens_for(Session, "after_rollback")
def _drop(s: Session) -> None:
    if not s.in_nested_transaction():
        s.info.pop("audit", None)
