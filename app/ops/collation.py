"""The order of words, which indexes are sorted by and another version of PostgreSQL, or of a library below it, may change.

A cluster of ours has the order of code points, built into PostgreSQL, so that nothing of the system's can. With a PostgreSQL of
somebody else's it is the doctor who looks.
"""

import psycopg
from psycopg import sql

from app.db.session import plainly

_VERSIONS = """
SELECT datname, datcollversion, pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = current_database()
"""


def settle(dsn: str) -> str | None:
    """Sort every index anew where the order is another than the one it was made with; in words what was done, if anything.

    Cut short, it is begun anew by the next start. Raises DatabaseGone, and IntegrityError where two rows are now the same.
    """
    with plainly(), psycopg.connect(dsn, autocommit=True, options="-c statement_timeout=0 -c lock_timeout=0") as c:
        row = c.execute(_VERSIONS).fetchone()
        assert row is not None
        name, made_with, now = row
        if made_with is None or now in (None, made_with):
            return None
        for statement in ("REINDEX DATABASE {}", "ALTER DATABASE {} REFRESH COLLATION VERSION"):
            c.execute(sql.SQL(statement).format(sql.Identifier(name)))
    return f"PostgreSQL's order of words changed from version {made_with} to {now}: every index was sorted anew"
