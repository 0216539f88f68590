"""The audit as administrators read it: one statement, whose answer PostgreSQL writes as JSON."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, text

from app.audit.models import Event
from app.core.errors import Invalid

_LIST = """
SELECT CAST(json_build_object(
    'items', coalesce(json_agg(json_build_object(
        'seq', seq, 'at', at, 'kind', kind, 'actor_id', actor_id, 'actor', actor, 'ticket', ticket, 'data', data,
        'hash', encode(hash, 'hex')
    ) ORDER BY seq DESC) FILTER (WHERE place <= :limit), CAST('[]' AS json)),
    'next', CASE WHEN count(*) > :limit THEN CAST(min(seq) FILTER (WHERE place <= :limit) AS text) END
) AS text)
FROM (
    SELECT page.*, row_number() OVER (ORDER BY seq DESC) AS place
    FROM (SELECT * FROM audit_event WHERE {conditions} ORDER BY seq DESC LIMIT :limit + 1) AS page
) AS placed
"""
_CONDITIONS = {
    "kind": "kind = :kind",
    "actor_id": "actor_id = :actor_id",
    "ticket": "ticket = :ticket",
    "since": "at >= :since",
    "until": "at < :until",
    "before": "seq < :before",
}
_CHECKPOINTS = text(
    """
    SELECT CAST(json_build_object(
        'items', coalesce(json_agg(json_build_object(
            'day', day, 'seq', seq, 'hash', encode(hash, 'hex'), 'signature', encode(signature, 'hex'), 'made_at', made_at
        ) ORDER BY day DESC) FILTER (WHERE place <= :limit), CAST('[]' AS json)),
        'next', CASE WHEN count(*) > :limit THEN min(day) FILTER (WHERE place <= :limit) END,
        'public_key', CAST(:public AS text)
    ) AS text)
    FROM (
        SELECT page.*, row_number() OVER (ORDER BY day DESC) AS place
        FROM (SELECT * FROM audit_checkpoint WHERE day < :before ORDER BY day DESC LIMIT :limit + 1) AS page
    ) AS placed
    """
)


@dataclass(frozen=True)
class Wanted:
    """Which entries: every part that is given has to fit. `before` is the cursor."""

    kind: Event | None = None
    actor_id: int | None = None
    ticket: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


def before(cursor: str | None) -> int | None:
    """The place that a cursor means. Raises Invalid."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise Invalid("That cursor is none of ours; take the `next` of an earlier answer, or leave it out.")
    return int(cursor)


def entries(c: Connection, wanted: Wanted, *, limit: int) -> str:
    """The last ones first: `{"items": [...], "next": cursor|null}`."""
    given = {f.name: value for f in fields(wanted) if (value := getattr(wanted, f.name)) is not None}
    conditions = " AND ".join(["true", *(_CONDITIONS[name] for name in given)])
    return str(c.execute(text(_LIST.replace("{conditions}", conditions)), given | {"limit": limit}).scalar_one())


def checkpoints(c: Connection, *, before: str | None, limit: int, public: bytes | None) -> str:
    """The same for checkpoints, with the public key."""
    values = {"before": before or "infinity", "limit": limit, "public": public and public.hex()}
    return str(c.execute(_CHECKPOINTS, values).scalar_one())
