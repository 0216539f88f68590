"""PostgreSQL: how it is set up, how full, how old, and what of it needs care."""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from app.db.session import plainly
from app.ops.doctor.findings import Finding, Level, Room, sql_line

SUBJECT = "postgresql"
LEAST_VERSION = 15
CONNECTIONS_MOST = 0.8
OLD, TOO_OLD = 1_000_000_000, 1_800_000_000  # transactions; at two thousand millions PostgreSQL refuses to write
LONG = 300  # seconds of one transaction
DEAD_LEAST, DEAD_PART = 10_000, 0.4  # rows that wait for a vacuum
CHANGED_LEAST, CHANGED_PART = 50_000, 0.5  # rows since the statistics were made
BLOATED_LEAST, BLOATED_TIMES = 64 << 20, 3  # bytes of an index, and how many times what its rows take

_OPTIONS = "-c statement_timeout=8s -c default_transaction_read_only=on"

Connection = psycopg.Connection[Any]

_SERVER = """
    SELECT current_database() AS name, current_setting('server_version') AS version,
        current_setting('server_version_num')::int / 10000 AS major,
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connected,
        (SELECT max(age(datfrozenxid)) FROM pg_database) AS age, pg_database_size(current_database()) AS size,
        current_setting('data_checksums') AS data_checksums, current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit,
        (SELECT sum(checksum_failures) FROM pg_stat_database) AS broken,
        (SELECT datcollversion FROM pg_database WHERE datname = current_database()) AS collation,
        (SELECT pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = current_database()) AS collates,
        (SELECT extract(epoch FROM max(now() - xact_start))::int FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()) AS longest
    """
_INVALID = (
    "SELECT i.indexrelid::regclass::text FROM pg_index i WHERE NOT i.indisvalid"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 1"
)
_DEAD = (
    "SELECT relname, n_dead_tup, n_live_tup FROM pg_stat_user_tables"
    " WHERE n_dead_tup > %(least)s AND n_dead_tup > %(part)s * greatest(n_live_tup, 1) ORDER BY n_dead_tup DESC LIMIT 5"
)
_CHANGED = (
    "SELECT relname, n_mod_since_analyze, n_live_tup FROM pg_stat_user_tables WHERE n_mod_since_analyze > %(least)s"
    " AND n_mod_since_analyze > %(part)s * greatest(n_live_tup, 1) ORDER BY n_mod_since_analyze DESC LIMIT 5"
)
# A row of a B-tree takes its columns, 12 bytes beside them, and a tenth that is left free. What is unknown is left out.
_BLOATED = """
    SELECT name, size, rows_take::bigint FROM (
        SELECT x.oid::regclass::text AS name, pg_relation_size(x.oid) AS size, x.reltuples * (12 + (
            SELECT sum(p.avg_width) FROM pg_attribute a JOIN pg_stats p ON p.attname = a.attname
            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                AND p.schemaname = n.nspname AND p.tablename = t.relname)) / 0.9 AS rows_take
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
        JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE i.indisvalid AND i.indexprs IS NULL AND x.reltuples >= 0 AND n.nspname NOT LIKE 'pg\\_%%'
    ) known WHERE size > %(least)s AND size > %(times)s * rows_take ORDER BY size DESC LIMIT 5
    """
_ANEW = ("REINDEX DATABASE NAME", "ALTER DATABASE NAME REFRESH COLLATION VERSION")
_SAFE = {
    "fsync": "A power cut can ruin the whole database.",
    "full_page_writes": "A power cut can leave pages that are half old and half new.",
    "synchronous_commit": "The last answers before a crash are lost, though they were acknowledged.",
}


def look(room: Room) -> Iterable[Finding]:
    """Nothing but a line where all is well. As the owner: the desk's own role is not told all of it.

    Raises DatabaseGone where it does not answer, of which health speaks.
    """
    with plainly(), psycopg.connect(room.settings.database_dsn, connect_timeout=4, options=_OPTIONS) as c:
        server: Any = psycopg.Cursor(c, row_factory=namedtuple_row).execute(_SERVER).fetchone()
        found = [*_kept_safe(room, server), *_filling(room, server), *_collation(room, server), *_tables(room, c)]
    yield Finding(SUBJECT, Level.OK, _summary(server))
    yield from found


def _summary(server: Any) -> str:
    return f"{server.version}, {server.size >> 20} MB, {server.connected} of {server.most} connections"


def _kept_safe(room: Room, server: Any) -> Iterator[Finding]:
    for name, why in _SAFE.items():
        if getattr(server, name) == "off":
            lines = (f"ALTER SYSTEM SET {name} = on", "SELECT pg_reload_conf()")
            line = "\n".join(sql_line(room, each, superuser=True) for each in lines)
            yield Finding(SUBJECT, Level.BAD, f"{name} is off", why, line)
    if server.data_checksums == "off":
        why = "A disk that spoils a page is not noticed. Switching it on takes a stopped server."
        yield Finding(SUBJECT, Level.HINT, "The cluster has no checksums", why, 'pg_checksums --enable -D "$PGDATA"')
    if server.broken:
        why = "The disk gave back other bytes than it was given. Look at the disk, and restore the last good backup."
        what = f"{server.broken} pages did not have the checksum they were written with"
        yield Finding(SUBJECT, Level.BAD, what, why, "docker compose exec desk atum backup verify FILE")
    if server.major < LEAST_VERSION:
        why = "Nobody tries the desk with it."
        yield Finding(SUBJECT, Level.WARNING, f"It is version {server.version}; {LEAST_VERSION} is the oldest for the desk", why)


def _filling(room: Room, server: Any) -> Iterator[Finding]:
    if server.connected >= CONNECTIONS_MOST * server.most:
        why = "With none left, requests are answered with 503."
        line = sql_line(room, "SELECT application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2")
        yield Finding(SUBJECT, Level.WARNING, f"{server.connected} of {server.most} connections are in use", why, line)
    if server.age > OLD:
        why = "Before two thousand millions it stops taking anything; a vacuum makes rows young again."
        level = Level.BAD if server.age > TOO_OLD else Level.WARNING
        line = sql_line(room, "VACUUM (FREEZE)", superuser=True)
        yield Finding(SUBJECT, level, f"Its oldest rows are {server.age:,} transactions old", why, line)
    if server.longest is not None and server.longest > LONG:
        why = "Until it ends, nothing that was deleted since can be cleared away."
        ask = "SELECT pid, application_name, state, now() - xact_start FROM pg_stat_activity ORDER BY xact_start LIMIT 3"
        yield Finding(SUBJECT, Level.WARNING, f"A transaction has been open for {server.longest} s", why, sql_line(room, ask))


def _collation(room: Room, server: Any) -> Iterator[Finding]:
    if server.collation and server.collates and server.collation != server.collates:
        why = "Indexes of words are in the old order, so that rows are not found or come twice."
        lines = [line.replace("NAME", server.name) for line in _ANEW]
        what = f"It was made with version {server.collation} of its order of words, and now has {server.collates}"
        yield Finding(SUBJECT, Level.WARNING, what, why, "\n".join(sql_line(room, line) for line in lines))


def _tables(room: Room, c: Connection) -> Iterator[Finding]:
    for (index,) in c.execute(_INVALID).fetchall():
        why = "It is kept up to date and never used; making it was broken off."
        yield Finding(SUBJECT, Level.WARNING, f"The index {index} is not valid", why, sql_line(room, f"REINDEX INDEX {index}"))
    for table, dead, live in c.execute(_DEAD, {"least": DEAD_LEAST, "part": DEAD_PART}).fetchall():
        why = "Reading it takes longer than it has to."
        what = f"The table {table} has {dead:,} rows that are gone beside {live:,} that are there"
        yield Finding(SUBJECT, Level.HINT, what, why, sql_line(room, f"VACUUM (ANALYZE) {table}"))
    for table, changed, live in c.execute(_CHANGED, {"least": CHANGED_LEAST, "part": CHANGED_PART}).fetchall():
        why = "PostgreSQL plans by what it was before. It looks by itself within minutes, unless something keeps it from that."
        what = f"Of the table {table}, {changed:,} rows changed since it was looked at, and it has {live:,}"
        yield Finding(SUBJECT, Level.HINT, what, why, sql_line(room, f"ANALYZE {table}"))
    for index, size, take in c.execute(_BLOATED, {"least": BLOATED_LEAST, "times": BLOATED_TIMES}).fetchall():
        why = "The rest was left by rows that are gone; it takes memory and makes reading slower."
        what = f"The index {index} takes {size >> 20} MB, and its rows about {take >> 20}"
        yield Finding(SUBJECT, Level.HINT, what, why, sql_line(room, f"REINDEX INDEX CONCURRENTLY {index}"))
