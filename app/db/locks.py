"""Locks that live in PostgreSQL and end with the connection or the transaction that took them."""

import zlib

from sqlalchemy import Connection, func, select

from app.db.session import Session


def _key(name: str) -> int:
    return zlib.crc32(name.encode())


def take(c: Connection, name: str) -> None:
    """Wait for the lock of this name and hold it as long as the connection lives."""
    c.execute(select(func.pg_advisory_lock(_key(name))))


def try_take(c: Connection, name: str) -> bool:
    """The lock of this name, if nobody holds it; for as long as the connection lives."""
    return bool(c.execute(select(func.pg_try_advisory_lock(_key(name)))).scalar())


def take_in_transaction(s: Session, name: str) -> None:
    """Wait for the lock of this name and hold it until the transaction ends."""
    s.execute(select(func.pg_advisory_xact_lock(_key(name))))
