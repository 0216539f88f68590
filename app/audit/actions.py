"""Appending to the chain.

Entries wait in the session until it commits: the chain's end is locked last and for the shortest time, so that two
transactions never wait for each other in a circle.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import event, select, text

from app.audit import rules
from app.audit.models import Event, Head
from app.db.session import Session

DESK = "desk"  # the actor, where no person was
CHANNEL = "desk_events"  # whoever listens hears the last entry's number when it is committed


# One statement however many entries there are: the chain's end stays locked for it and the commit alone.
_APPEND = text(
    """
    WITH head AS (
        UPDATE audit_head SET seq = :last, hash = :hash WHERE id = 1 RETURNING pg_notify(:channel, seq::text)
    ), entry AS (
        INSERT INTO audit_event (seq, at, kind, actor_id, actor, ticket, data, before_hash, hash)
        SELECT * FROM unnest(
            CAST(:seq AS bigint[]), CAST(:at AS timestamptz[]), CAST(:kind AS text[]), CAST(:actor_id AS bigint[]),
            CAST(:actor AS text[]), CAST(:ticket AS bigint[]), CAST(:data AS jsonb[]), CAST(:before_hash AS bytea[]),
            CAST(:hashes AS bytea[])
        )
    )
    SELECT * FROM head
    """
)


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
    s.flush()
    seq, last = s.execute(select(Head.seq, Head.hash).where(Head.id == 1).with_for_update()).one()
    for entry in waiting:
        seq += 1
        entry.update(seq=seq, before_hash=last)
        entry["hashes"] = last = rules.link(last, entry)
    columns: dict[str, Any] = {name: [entry[name] for entry in waiting] for name in waiting[0]}
    columns["data"] = [json.dumps(data) for data in columns["data"]]
    s.execute(_APPEND, columns | {"last": seq, "hash": last, "channel": CHANNEL})


@event.listens_for(Session, "after_rollback")
def _drop(s: Session) -> None:
    if not s.in_nested_transaction():
        s.info.pop("audit", None)
