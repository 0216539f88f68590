"""LISTEN: a bell that somebody's NOTIFY rings."""

from contextlib import suppress

import psycopg
from psycopg import sql

from app.db.session import DatabaseGone

Ring = tuple[str, str]  # the channel and what was said


class Bell:
    """LISTENs on a connection of its own, and makes itself another when that one broke."""

    def __init__(self, dsn: str, *channels: str, name: str) -> None:
        self._dsn, self._channels, self._name = dsn, channels, name
        self._connection: psycopg.Connection | None = None

    def hang(self) -> None:
        """Listen from here on; whoever reads the tables after this misses nothing. Raises DatabaseGone."""
        if self._connection is not None:
            return
        try:
            fresh = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5, application_name=self._name)
            for channel in self._channels:
                fresh.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except psycopg.OperationalError as wrong:
            raise DatabaseGone from wrong
        self._connection = fresh

    def wait(self, seconds: float) -> list[Ring]:
        """Until it rings, at most so long. A broken connection is a ring without a word: there may be something to see."""
        assert self._connection is not None
        try:
            return [(ring.channel, ring.payload) for ring in self._connection.notifies(timeout=seconds, stop_after=1)]
        except psycopg.OperationalError:
            self.take_down()
            return [("", "")]

    def take_down(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
