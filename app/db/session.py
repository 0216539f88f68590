"""Transactions: the only place that commits.

A request, a mail, a due clock is one transaction. Lists are read on a connection that commits by itself and may not write.
"""

import select as polling
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg.errors import (
    DeadlockDetected,
    InsufficientPrivilege,
    LockNotAvailable,
    ProgramLimitExceeded,
    QueryCanceled,
    ReadOnlySqlTransaction,
    StatementTooComplex,
)
from pydantic_core import from_json
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session as Session  # re-exported: every action takes one first

from app.core.errors import DeskError, Invalid, Unavailable

# The role without rights to change the audit, once it is there, usable, and was given its rights here (ops/roles.py).
_BECOME = """
SELECT set_config('role', r.rolname, false) FROM pg_roles r
WHERE r.rolname = session_user || '_app'
  AND NOT (r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolbypassrls)
  AND pg_has_role(r.oid, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
  AND has_table_privilege(r.oid, to_regclass('audit_event'), 'INSERT')
"""


TOO_MUCH = "Something in this is longer than the database takes; nothing was changed. Make it shorter."


class DatabaseGone(Unavailable):
    """The database can't be reached right now; nothing was changed. Try again shortly."""


class InUse(DatabaseGone):
    """Somebody else is changing the same thing at this moment; nothing was changed. Try again in a few seconds."""

    slug = "being-changed"


class TookTooLong(DatabaseGone):
    """This took longer than a request may; nothing was changed. Ask for less, or try again shortly."""

    slug = "took-too-long"


class OnlyRead(DatabaseGone):
    """The database can only be read at the moment; nothing was changed. Try again shortly."""

    slug = "read-only"


class Database:
    """One PostgreSQL, by its libpq URL, with a pool of `pool` connections.

    `patience` bounds one statement, in seconds. Every connection takes the role that can't change the audit.
    """

    def __init__(self, dsn: str, *, pool: int = 5, patience: int = 10, name: str = "atum") -> None:
        options = (
            f"-c statement_timeout={patience}s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"
        )
        self.dsn = dsn
        self.engine = self._pool(pool, f"{options} -c default_transaction_read_only=off", name)
        self._reader = self._pool(
            pool,
            f"{options} -c default_transaction_read_only=on",
            name,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )

    def _pool(self, size: int, options: str, name: str, **more: Any) -> Engine:
        engine = create_engine(
            sqlalchemy_url(self.dsn),
            pool_size=size,
            max_overflow=0,
            pool_timeout=5,
            hide_parameters=True,  # what goes wrong is logged, and a parameter may be a password that somebody typed as a name
            json_deserializer=from_json,
            connect_args={"connect_timeout": 5, "application_name": name, "options": options},
            **more,
        )
        event.listen(engine, "connect", _become)
        event.listen(engine, "checkout", _still_there)
        return engine

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits when the block ends well, or in a refusal that is `kept`, and rolls back otherwise."""
        with plainly(), Session(self.engine, expire_on_commit=False) as s:
            try:
                yield s
            except DeskError as refusal:
                if refusal.kept:
                    s.commit()
                raise
            s.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries alone: no BEGIN, no ROLLBACK, and it refuses to write."""
        with plainly(), self._reader.connect() as c:
            yield c

    def close(self) -> None:
        self.engine.dispose()
        self._reader.dispose()


def finish(s: Session, last: LiteralString, values: Mapping[str, Any]) -> None:
    """Send a transaction's last statement and its COMMIT together: what that statement locks is held no longer than it takes.

    Inside of a savepoint it is sent alone, because somebody else commits.
    """
    s.flush()
    c = s.connection()
    together = "" if c.in_nested_transaction() else "; COMMIT"
    driver: Any = c.connection.driver_connection
    psycopg.ClientCursor(driver).execute(last + together, values)


def _become(connection: Any, record: Any) -> None:  # noqa: ARG001 (what SQLAlchemy calls it with)
    """Outside of any transaction: a ROLLBACK would take the role away again."""
    before = connection.autocommit
    connection.autocommit = True
    connection.execute(_BECOME)
    connection.autocommit = before


def _still_there(connection: Any, record: Any, proxy: Any) -> None:  # noqa: ARG001 (what SQLAlchemy calls it with)
    """A server that went away closed its end, so there is something to read: cheaper than asking it each time."""
    if connection.closed:
        raise DisconnectionError("this connection is closed")
    poll = polling.poll()
    poll.register(connection.pgconn.socket, polling.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("the server closed this connection")


@contextmanager
def plainly() -> Iterator[None]:
    """Say it in our words when the database can't be reached, or has us wait for too long: DatabaseGone, InUse, TookTooLong.

    A value that is too much for it is too much at the next try as well: Invalid.
    """
    try:
        yield
    except (OperationalError, psycopg.OperationalError, PoolTimeout) as wrong:
        cause = getattr(wrong, "orig", wrong)
        if isinstance(cause, ProgramLimitExceeded | StatementTooComplex):
            raise Invalid(TOO_MUCH) from wrong
        raise _kind(cause) from wrong
    except (DBAPIError, psycopg.Error) as wrong:
        if _only_read(getattr(wrong, "orig", wrong)):
            raise OnlyRead from wrong
        raise


def _only_read(wrong: object) -> bool:
    """A server that became another's standby, or whose disk turned read-only (which it tells as a right that it lacks)."""
    return isinstance(wrong, ReadOnlySqlTransaction) or (
        isinstance(wrong, InsufficientPrivilege) and "Read-only file system" in str(wrong)
    )


def _kind(wrong: object) -> type[DatabaseGone]:
    if isinstance(wrong, LockNotAvailable | DeadlockDetected):
        return InUse
    return TookTooLong if isinstance(wrong, QueryCanceled) else DatabaseGone


def sqlalchemy_url(dsn: str) -> str:
    """libpq's URL, for SQLAlchemy with psycopg 3."""
    return "postgresql+psycopg://" + dsn.partition("://")[2]


def now(s: Session) -> datetime:
    """The database's own time at the start of this transaction: the one clock that deadlines know."""
    found: Any = s.info.get("now")
    if found is None:
        found = s.info["now"] = s.execute(select(func.now())).scalar_one()
    return found  # type: ignore[no-any-return]
