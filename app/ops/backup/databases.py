"""The databases of a restore: one beside the desk's own that is filled, and how the two change places."""

import re

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege

from app.core.errors import Conflict
from app.db.session import plainly

NEXT, BEFORE = "_next", "_before_restore"
TRIES = 5  # PostgreSQL waits 5 s for whoever uses a database that is renamed
_PATH = re.compile(r"(\w+://[^/?]*)(?:/[^?]*)?")


class NotAllowed(Conflict):
    """The desk's role may not make a database. Nothing was changed."""


def name_of(dsn: str) -> str:
    """What the desk's own database is called."""
    known = conninfo_to_dict(dsn)
    return str(known.get("dbname") or known.get("user"))


def beside(dsn: str, suffix: str = NEXT) -> str:
    """The URL of the one beside it."""
    return _with(dsn, name_of(dsn) + suffix)


def make_next(dsn: str) -> str:
    """An empty one, in place of any that an earlier try left behind; its URL. Raises NotAllowed."""
    name = sql.Identifier(name_of(dsn) + NEXT)
    with plainly(), _maintenance(dsn) as c:
        try:
            c.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            c.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
            c.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
        except InsufficientPrivilege as wrong:
            row = c.execute("SELECT current_user").fetchone()
            raise NotAllowed(
                "A restore fills a database beside the desk's own, and the desk's role may not make one. Nothing was changed. "
                f'Let a superuser say: ALTER ROLE "{row[0] if row else ""}" CREATEDB'
            ) from wrong
    return beside(dsn)


def swap(dsn: str) -> bool:
    """Have the one beside become the desk's own, and keep that one. Done before, or cut short at any point, it may be done again.

    Whether there was one to be swapped. Whoever is connected to the desk's own is cut off.
    """
    own = name_of(dsn)
    with plainly(), _maintenance(dsn) as c:
        there = {row[0] for row in c.execute("SELECT datname FROM pg_database")}
        if own + NEXT not in there:
            return False
        if own in there:
            c.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(own + BEFORE)))
            _rename(c, own, own + BEFORE)
        _rename(c, own + NEXT, own)
    return True


def drop(dsn: str, suffix: str) -> None:
    """Let go of one beside, if it is there."""
    with plainly(), _maintenance(dsn) as c:
        c.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name_of(dsn) + suffix)))


def _rename(c: psycopg.Connection, old: str, new: str) -> None:
    for left in reversed(range(TRIES)):
        c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (old,))
        try:
            c.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))
        except psycopg.errors.ObjectInUse:
            if not left:
                raise
        else:
            return


def _maintenance(dsn: str) -> psycopg.Connection:
    """A database cannot be made or renamed from within."""
    return psycopg.connect(_with(dsn, "postgres"), autocommit=True, connect_timeout=5, application_name="restore")


def _with(dsn: str, name: str) -> str:
    return _PATH.sub(lambda found: f"{found[1]}/{name}", dsn, count=1)
