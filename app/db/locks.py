"""Locks that live in PostgreSQL and end with the connection or the transaction that took them."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from sqlalchemy import Connection, func, select

from app.db.session import DatabaseGone, Session, plainly

LEASE = 120  # seconds
RENEW = 20.0  # seconds


def _key(name: str) -> int:
    """64 bits of SHA-256: names hold what strangers write (a Message-ID), who must not be able to aim at another's lock."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)


class Lock:
    """One that a Keeper holds."""

    def __init__(self, keeper: "Keeper", connection: psycopg.Connection) -> None:
        self._keeper = keeper
        self._connection = connection

    def check(self) -> None:
        """Raises DatabaseGone where it is lost."""
        self._keeper.check(self._connection)


class Keeper:
    """The locks that a process holds for long, all of them on one connection: as many as there are cost no more than one.

    They end when they are let go, and with the process; so does the connection, with the last of them. Where it breaks, all are
    lost, and `check` tells. A process that is stopped doesn't end, and its connection doesn't break: PostgreSQL ends it when
    nobody has renewed it for LEASE seconds.
    """

    def __init__(self, dsn: str, *, name: str) -> None:
        self._dsn, self._name = dsn, name
        self._guard = threading.Lock()
        self._held: set[str] = set()
        self._connection: psycopg.Connection | None = None
        self._renew_at = float("-inf")

    @contextmanager
    def trying(self, name: str) -> Iterator[Lock | None]:
        """The lock of this name for as long as the block lasts; None where somebody has it, be it in this process."""
        lock = self._try(name)
        try:
            yield lock
        finally:
            if lock is not None:
                self._let_go(name, lock._connection)

    def renew(self) -> None:
        """Show that this process is not stopped. To be called often; now and then the database is asked."""
        if time.monotonic() < self._renew_at or not self._guard.acquire(blocking=False):  # whoever has it asks at this moment
            return
        try:
            self._renew_at = time.monotonic() + RENEW
            if self._connection is not None:
                with suppress(psycopg.OperationalError):  # `check` tells
                    self._ask("SELECT 1", ())
        finally:
            self._guard.release()

    def check(self, connection: psycopg.Connection) -> None:
        """Whether this connection still holds what it was asked to."""
        with self._guard, plainly():
            if connection is not self._connection:
                raise DatabaseGone
            self._ask("SELECT 1", ())

    def _try(self, name: str) -> Lock | None:
        with self._guard, plainly():
            if self._connection is None:
                limits = f"-c statement_timeout=5s -c idle_session_timeout={LEASE}s"
                self._connection = psycopg.connect(
                    self._dsn, autocommit=True, connect_timeout=5, application_name=self._name, options=limits
                )
            if name in self._held or not self._ask("SELECT pg_try_advisory_lock(%s)", (_key(name),)):
                self._drop_idle()
                return None
            self._held.add(name)
            return Lock(self, self._connection)

    def _let_go(self, name: str, connection: psycopg.Connection) -> None:
        with self._guard:
            if connection is self._connection:
                self._held.discard(name)
                with suppress(psycopg.OperationalError):
                    self._ask("SELECT pg_advisory_unlock(%s)", (_key(name),))
                self._drop_idle()

    def _ask(self, question: LiteralString, values: tuple[int, ...]) -> bool:
        assert self._connection is not None
        try:
            row = self._connection.execute(question, values).fetchone()
        except psycopg.OperationalError:
            self._drop()
            raise
        return bool(row and row[0])

    def _drop_idle(self) -> None:
        if not self._held:
            self._drop()

    def _drop(self) -> None:
        self._held.clear()
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


def take(c: Connection, name: str) -> None:
    """Wait for the lock of this name and hold it as long as the connection lives."""
    c.execute(select(func.pg_advisory_lock(_key(name))))


def try_take(c: Connection, name: str) -> bool:
    """The lock of this name, if nobody holds it; for as long as the connection lives."""
    return bool(c.execute(select(func.pg_try_advisory_lock(_key(name)))).scalar())


def take_in_transaction(s: Session, name: str) -> None:
    """Wait for the lock of this name and hold it until the transaction ends."""
    s.execute(select(func.pg_advisory_xact_lock(_key(name))))
