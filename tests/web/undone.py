"""A database in which nothing lasts: whatever a request does is undone when the block around it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from app.db.session import Database, plainly


class Undone(Database):
    """One connection of another database, in one transaction that is never committed. One request at a time."""

    def __init__(self, real: Database) -> None:
        self.dsn = real.dsn
        self._real = real
        self.engine: Any = None

    @contextmanager
    def again(self) -> Iterator[None]:
        """From here on everything is as it was before."""
        with self._real.engine.connect() as c:
            whole = c.begin()
            c.begin_nested()  # sessions on a connection with a savepoint make savepoints of their own
            self.engine = c
            try:
                yield
            finally:
                self.engine = None
                whole.rollback()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with plainly():
            yield self.engine
