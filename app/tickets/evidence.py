"""What was told of a ticket's deadlines, with the time of each step: planned, noticed, sent, taken by the server, acknowledged.

How late deadlines are noticed, over all tickets.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from app.core import cursors

BUCKETS = (10, 20, 50, 100, 250, 500, 1_000, 2_000, 5_000, 60_000, 3_600_000)  # milliseconds

_ESCALATIONS = """
    SELECT x.id, c.metric, c.cycle, e.threshold, e.kind, st.recipients AS "to",
           coalesce(x.ended, CASE WHEN x.next_at IS NOT NULL THEN 'waiting' END) AS state,
           e.at AS planned_at, e.detected_at, x.next_at, x.times, x.acknowledged_at, x.acknowledged_by, told.notices
    FROM sla_escalation x JOIN sla_event e ON e.id = x.event_id JOIN sla_clock c ON c.id = x.clock_id
    JOIN sla_step st ON st.id = x.step_id
    CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(json_build_object(
            'round', n.round, 'to', n.address, 'because', n.because, 'sent_at', n.made_at,
            'delivered_at', coalesce(l.sent_at, CASE d.state WHEN 'delivered' THEN d.ended_at END),
            'state', coalesce(l.state, d.state), 'reason', coalesce(l.last_error, d.problem)
        ) ORDER BY n.id), '[]') AS notices
        FROM sla_notice n LEFT JOIN outbox l ON l.dedupe_key = n.dedupe_key
        LEFT JOIN webhook_delivery d ON d.id = n.delivery_id WHERE n.escalation_id = x.id
    ) AS told
    WHERE x.ticket = :ticket AND x.id > :after ORDER BY x.id LIMIT :limit
"""
_LATENESS = """
    SELECT count(*) AS count, percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY late) AS shares, max(late) AS most,
           {counts}
    FROM (
        SELECT extract(epoch FROM detected_at - at)::float8 * 1000 AS late FROM sla_event
        WHERE detected_at >= :since AND detected_at < :until AND kind <> 'skipped'
    ) AS each
"""


def escalations(c: Connection, ticket: int, *, limit: int, cursor: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
    """Every step that was taken for a ticket, oldest first, with the letters of each; and the cursor of the next ones."""
    after = cursors.place(cursor, int)[0] if cursor is not None else 0
    rows = c.execute(text(_ESCALATIONS), {"ticket": ticket, "after": after, "limit": limit + 1}).mappings().all()
    following = cursors.cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return [dict(row) for row in rows[:limit]], following


def lateness(c: Connection, *, since: datetime, until: datetime) -> Mapping[str, Any]:
    """How long after their time deadlines and warnings were noticed, in milliseconds."""
    counts = ", ".join(f"count(*) FILTER (WHERE late <= {most}) AS most_{most}" for most in BUCKETS)
    row = c.execute(text(_LATENESS.replace("{counts}", counts)), {"since": since, "until": until}).mappings().one()
    median, almost_all = row["shares"] or (None, None)
    buckets = [{"at_most_ms": most, "count": row[f"most_{most}"]} for most in BUCKETS]
    return {
        "since": since,
        "until": until,
        "count": row["count"],
        "p50_ms": median,
        "p99_ms": almost_all,
        "max_ms": row["most"],
        "buckets": buckets,
    }
