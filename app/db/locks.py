"""Locks that live in PostgreSQL and end with the connection or the transaction that took them."""

import hashlib

from sqlalchemy import Connection, func, select

from app.db.session import Session


def _key(name: str) -> int:
    """64 bits of SHA-256: names hold what strangers write (a Message-ID), who must not be able to aim at another's lock."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)


def take(c: Connection, name: str) -> None:
    """Wait for the lock of this name and hold it as long as the connection lives."""
    c.execute(select(func.pg_advisory_lock(_key(name))))


def try_take(c: Connection, name: str) -> bool:
    """The lock of this name, if nobody holds it; for as long as the connection lives."""
    return bool(c.execute(select(func.pg_try_advisory_lock(_key(name)))).scalar())


def take_in_transaction(s: Session, name: str) -> None:
    """Wait for the lock of this name and hold it until the transaction ends."""
    s.execute(select(func.pg_advisory_xact_lock(_key(name))))
