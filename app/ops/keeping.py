"""What nobody asks for any more goes, once a day: answers to requests that might come twice, ended sessions, links of old.

What people wrote, what was promised them and who did what stays. tests/db/ops/test_growth.py has an answer for each table.
"""

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnClause, DateTime, any_, delete, func, literal_column, select

from app.db.session import Database
from app.db.session import now as database_now
from app.db.types import Table

EVERY = 24 * 3600.0  # seconds
ANSWERS = timedelta(hours=24)
MONTH = timedelta(days=31)
CHUNK = 1000  # rows of a transaction, so that nobody waits for them


class Swept(NamedTuple):
    """What goes of a table so long after it was of use."""

    until: str  # the column, or what is made of columns, that says how long it was
    after: timedelta


SWEPT = {
    "idempotency": Swept("answered_at", ANSWERS),
    "sign_in": Swept("coalesce(ended_at, greatest(expires_at, refresh_until))", MONTH),
    "spent_refresh": Swept("spent_at", MONTH),
    "one_time_link": Swept("expires_at", MONTH),
    "setup_link": Swept("expires_at", MONTH),
    "sla_rebuild": Swept("ended_at", MONTH),
}


def sweep(database: Database) -> float:
    """Let go of it, a chunk at a time; the seconds to wait before the next time."""
    for table in SWEPT:
        while _chunk(database, table) == CHUNK:
            pass
    return EVERY


def _chunk(database: Database, name: str) -> int:
    """How many rows went. One that somebody holds is left for tomorrow."""
    table, swept = Table.metadata.tables[name], SWEPT[name]
    place: ColumnClause[str] = literal_column("ctid")
    with database.transaction() as s:
        old = literal_column(swept.until, DateTime(timezone=True)) < database_now(s) - swept.after
        chunk = select(place).select_from(table).where(old).limit(CHUNK).with_for_update(skip_locked=True)
        return s.connection().execute(delete(table).where(place == any_(func.array(chunk.scalar_subquery())))).rowcount
