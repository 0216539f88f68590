"""Sends what waits in the outbox: woken by NOTIFY, and every few seconds in any case. Threads of their own look for what is
amiss, and tell webhooks.
"""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import psycopg
from sqlalchemy import Connection, text

from app.db import locks
from app.db.session import Database
from app.entry import webhooks
from app.entry.loop import Worker, worker
from app.files.disk import Blobs
from app.intake import queries as intake
from app.outbox import actions
from app.outbox.delivery import process_one
from app.outbox.dkim import Signatures, key_file
from app.outbox.house import House, house
from app.outbox.smtp import Line, account

LOCK = "outbox-sender"
LONGEST_REST = 5.0  # seconds
CONNECTIONS = 5 + webhooks.AT_ONCE  # at most: most of the time two are all there is to do with


class Sender:
    """The outbox's one sender: whoever holds the lock. Letters go out one after the other."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._db = Database(worker.settings.database_dsn, pool=CONNECTIONS, name=worker.name)
        self._blobs = Blobs(worker.settings.data_dir / "files")
        self._account = account(worker.settings)
        self._signatures = Signatures(key_file(worker.settings))
        self._threads = ThreadPoolExecutor(max_workers=1)
        self._bell: Connection | None = None
        self._beside = webhooks.beside(self._db, worker.settings)

    def _house(self) -> House:
        """Whoever keeps the mailboxes or the keys may have changed them since the last letter."""
        with self._db.reading() as c:
            return house(self._worker.settings, others=intake.addresses(c))

    def round(self) -> float:
        """Send all that is due, then listen for more."""
        for thread in self._beside:
            if thread.ident is None:  # not before the database is as this version needs it
                thread.start()
        if self._account is None:
            return LONGEST_REST
        try:
            if not self._hold():
                return 1.0
            self._send_all(Line(self._account))
            self._listen()
        except BaseException:
            self._let_go()
            raise
        return 0.0

    def _hold(self) -> bool:
        """Whether the lock is ours. It lives and dies with the connection that also hears the bell."""
        if self._bell is not None:
            self._bell.execute(text("SELECT 1"))
            return True
        self._bell = self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not locks.try_take(self._bell, LOCK):
            self._let_go()
            return False
        self._bell.execute(text("LISTEN outbox_wake"))
        return True

    def _let_go(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.invalidate()
            bell.close()

    def _send_all(self, line: Line) -> None:
        with self._db.transaction() as s:
            actions.recover(s)
        try:
            while not self._worker.stop.is_set() and self._send_one(line, self._house()):
                pass
        finally:
            line.close()

    def _send_one(self, line: Line, house: House) -> bool:
        """A slow server is no reason to be taken for dead: the heart beats while a letter is on its way."""
        job = self._threads.submit(process_one, self._db, house, line, self._blobs, self._signatures)
        while not wait([job], timeout=1.0).done:
            self._worker.beat()
        self._worker.beat()
        return job.result()

    def _listen(self) -> None:
        """Until the bell rings, the longest rest is over, or the desk stops."""
        assert self._bell is not None
        driver = self._bell.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        until = time.monotonic() + LONGEST_REST
        while not self._worker.stop.is_set() and time.monotonic() < until:
            self._worker.beat()
            if list(driver.notifies(timeout=0.5, stop_after=1)):
                return


def main() -> None:
    """Run until told to stop."""
    me = worker("outbox-sender")
    me.run(Sender(me).round)


if __name__ == "__main__":
    main()
