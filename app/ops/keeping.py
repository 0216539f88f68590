"""What nobody asks for any more goes, once a day: answers to requests that might come twice, ended sessions, links of old.

What people wrote, what was promised them and who did what stays. tests/db/ops/test_growth.py has an answer for each table.
"""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import TextClause, text

from app.db.session import Database
from app.db.session import now as database_now

EVERY = 24 * 3600.0  # seconds
ANSWERS = timedelta(hours=24)
MONTH = timedelta(days=31)
CHUNK = 1000  # rows of a transaction, so that nobody waits for them


class Swept(NamedTuple):
    """What goes of a table so long after it was of use. A row that somebody holds is left for tomorrow."""

    statement: TextClause
    after: timedelta


SWEPT = {
    "idempotency": Swept(
        text("""
        DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM idempotency WHERE answered_at < :before LIMIT :most FOR UPDATE SKIP LOCKED))
        """),
        ANSWERS,
    ),
    "sign_in": Swept(
        text("""
        DELETE FROM sign_in WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM sign_in WHERE coalesce(ended_at, greatest(expires_at, refresh_until)) < :before
            LIMIT :most FOR UPDATE SKIP LOCKED))
        """),
        MONTH,
    ),
    "spent_refresh": Swept(
        text("""
        DELETE FROM spent_refresh WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM spent_refresh WHERE spent_at < :before LIMIT :most FOR UPDATE SKIP LOCKED))
        """),
        MONTH,
    ),
    "one_time_link": Swept(
        text("""
        DELETE FROM one_time_link WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM one_time_link WHERE expires_at < :before LIMIT :most FOR UPDATE SKIP LOCKED))
        """),
        MONTH,
    ),
    "setup_link": Swept(
        text("""
        DELETE FROM setup_link WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM setup_link WHERE expires_at < :before LIMIT :most FOR UPDATE SKIP LOCKED))
        """),
        MONTH,
    ),
    "sla_rebuild": Swept(
        text("""
        DELETE FROM sla_rebuild WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM sla_rebuild WHERE ended_at < :before LIMIT :most FOR UPDATE SKIP LOCKED))
        """),
        MONTH,
    ),
}


def sweep(database: Database) -> float:
    """Let go of it, a chunk at a time; the seconds to wait before the next time."""
    for swept in SWEPT.values():
        while _chunk(database, swept) == CHUNK:
            pass
    return EVERY


def _chunk(database: Database, swept: Swept) -> int:
    with database.transaction() as s:
        values = {"before": database_now(s) - swept.after, "most": CHUNK}
        return s.connection().execute(swept.statement, values).rowcount
