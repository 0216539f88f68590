"""The mail-poller process: a thread for each mailbox takes mail in, and this one gives each mail its outcome.

It also reads the feeds of calendars: of all processes it is the one that asks other servers.
"""

import logging
import threading
import time
from collections.abc import Iterator

from app import config
from app.config import Settings
from app.db.bell import Bell
from app.db.locks import Keeper
from app.db.session import Database, DatabaseGone, InUse, TookTooLong
from app.entry.loop import Turning, Worker, worker
from app.intake import queries
from app.intake.by_smtp import WAKE
from app.intake.canary import Canaries
from app.intake.dns import Names
from app.intake.processing import Processor
from app.intake.reader import Reader
from app.intake.redoing import Redoing
from app.intake.sweeping import Sweeper
from app.intake.watch import Watch
from app.sla.feeds import Feeds, guard

LOOK_AROUND = 5.0  # seconds between looks for mailboxes, and for mails that somebody wants replayed
PATIENCE = 20  # seconds for one statement: before the process gives no sign of life for so long that it is killed

log = logging.getLogger(__name__)


class Mailbox(Turning):
    """One mailbox's thread."""

    def __init__(self, database: Database, settings: Settings, id: int, arrived: threading.Event, keeper: Keeper) -> None:
        ending = threading.Event()
        self.watch = Watch(database, settings, id, stop=ending, arrived=arrived, keeper=keeper)
        super().__init__(f"mailbox-{id}", self.watch.turn, "reading a mailbox failed", ending)


class Ear(threading.Thread):
    """Hears of mail that was brought by SMTP. It ends with the process; without it, what came waits for the next look around."""

    def __init__(self, dsn: str, arrived: threading.Event) -> None:
        super().__init__(name="ear", daemon=True)
        self._bell = Bell(dsn, WAKE, name="mail-poller")
        self._arrived = arrived
        self.ending = threading.Event()

    def run(self) -> None:
        """Set the event whenever it rings."""
        while not self.ending.is_set():
            try:
                self._bell.hang()
                if self._bell.wait(1.0):
                    self._arrived.set()
            except DatabaseGone:
                self.ending.wait(1.0)
        self._bell.take_down()


class Poller:
    """All mailboxes, and the mails that wait for their outcome."""

    def __init__(self, worker: Worker, database: Database, reader: Reader) -> None:
        self._settings = worker.settings
        self._database = database
        self._alive = worker.beat
        self._processor = Processor(database, worker.settings, reader=reader, beat=self._beat, names=Names().for_a_mail)
        self._redoing: Redoing | None = Redoing(database, worker.settings, reader=reader, beat=self._beat)
        self._stop = worker.stop
        self._arrived = threading.Event()
        self._keeper = Keeper(database.dsn, name=f"{config.process_name('mail-poller')} mailboxes")
        self._mailboxes: dict[int, Mailbox] = {}
        self._doubtful: dict[int, None] = {}  # mails at which the database went away, the last one last
        self._looked_at = float("-inf")
        self._ear = Ear(database.dsn, self._arrived)
        self._ear.start()
        canaries, sweeper = Canaries(database, worker.settings), Sweeper(database, worker.settings)
        feeds = Feeds(database, guard(worker.settings.atum_url))
        self._beside = (
            Turning("canaries", canaries.turn, "looking for silence failed", threading.Event()),
            Turning("feeds", feeds.turn, "reading a calendar's feed failed", threading.Event()),
            Turning("sweeper", sweeper.turn, "removing the bytes of mails that were never taken failed", threading.Event()),
        )

    def once(self) -> float:
        """Look after the threads, process what waits, then wait a second for more."""
        self._keeper.renew()
        for thread in self._beside:
            if thread.ident is None:  # not before the database is as this version needs it
                thread.start()
        if time.monotonic() - self._looked_at >= LOOK_AROUND:
            self._look_after_mailboxes()
            self._arrived.set()
            self._looked_at = time.monotonic()
        for _ in range(4):  # a quarter of a second at a time, to stop soon
            if self._stop.is_set() or self._arrived.wait(0.25):
                break
        if self._arrived.is_set():
            self._arrived.clear()
            self._process()
        elif self._redoing:
            self._redo(self._redoing)
        return 0.0

    def close(self) -> None:
        """Let the threads finish what takes less than a second."""
        self._ear.ending.set()
        for thread in self._beside:
            thread.ending.set()
        for mailbox in self._mailboxes.values():
            mailbox.ending.set()
        until = time.monotonic() + 0.7
        for mailbox in self._mailboxes.values():
            mailbox.join(max(until - time.monotonic(), 0))

    def _beat(self) -> None:
        self._alive()
        self._keeper.renew()

    def _look_after_mailboxes(self) -> None:
        with self._database.transaction() as s:
            wanted = {mailbox.id for mailbox in queries.in_use(s)}
        for id in self._mailboxes.keys() - wanted:
            self._mailboxes.pop(id).ending.set()
        for id in wanted:
            if id not in self._mailboxes or not self._mailboxes[id].is_alive():
                self._mailboxes[id] = Mailbox(self._database, self._settings, id, self._arrived, self._keeper)
                self._mailboxes[id].start()

    def _process(self) -> None:
        """Each mail that waits, once.

        One whose bytes the disk doesn't give, whose files it doesn't take, or that needs what somebody has locked, waits, and
        the others go on. Raises what kept it.
        """
        refused: OSError | DatabaseGone | None = None
        for id in self._in_turn():
            if self._stop.is_set():
                return
            try:
                self._process_one(id)
            except (OSError, InUse, TookTooLong) as wrong:
                refused = wrong
            except DatabaseGone:  # by chance or by this mail: from now on others come first
                self._doubtful.pop(id, None)
                self._doubtful[id] = None
                raise
            else:
                self._doubtful.pop(id, None)
        self._tell_settled()
        if refused:
            raise refused

    def _in_turn(self) -> Iterator[int]:
        """Mails that nobody has tried, then those that failed before, then those at which the database went away.

        Those behind the first give way to what comes meanwhile.
        """
        doubtful = [*self._doubtful]
        behind = [*(id for id in self._processor.failed_before() if id not in doubtful), *doubtful]
        last = 0
        while waiting := self._processor.waiting(after=last):
            yield from (id for id in waiting if id not in doubtful)
            last = waiting[-1]
            self._tell_settled()
        for id in behind:
            yield id
            if self._arrived.is_set():
                return

    def _tell_settled(self) -> None:
        for mailbox in self._mailboxes.values():
            mailbox.watch.settled.set()

    def _redo(self, redoing: Redoing) -> None:
        """A few old mails, while no new one waits. Done once it is done: only another version of ours has another policy."""
        waiting = redoing.waiting()
        for message, mail in waiting:
            if self._stop.is_set() or self._arrived.is_set():
                return
            try:
                redoing.redo(message, mail)
            except (DatabaseGone, OSError):
                raise
            except Exception:  # one mail must not stop the others
                log.exception("an old mail can't be made harmless anew; it stays as it was", extra={"message_id": message})
                redoing.leave(message)
        if not waiting:
            self._redoing = None
            if redoing.done or redoing.left:
                log.info("the HTML of old mails was made anew", extra={"mails": redoing.done, "left": redoing.left})

    def _process_one(self, id: int) -> None:
        """A mail that trips over a mistake of ours is set aside like one that can't be read; the others go on."""
        try:
            self._processor.process(id)
        except (DatabaseGone, OSError):
            raise  # no mail's fault: it is tried again in another round
        except Exception as wrong:  # one mail must not stop the others
            log.exception("processing a mail failed", extra={"mail": id})
            self._set_aside(id, f"{type(wrong).__name__}: {wrong}")

    def _set_aside(self, id: int, reason: str) -> None:
        try:
            self._processor.failed(id, reason)
        except (DatabaseGone, OSError):
            raise
        except Exception:  # not even the ticket that shows it can be made
            log.exception("a mail can't be shown to anybody", extra={"mail": id})
            self._processor.give_up(id, reason)


def main() -> None:
    """Run until told to stop."""
    me = worker("mail-poller")
    database = Database(me.settings.database_dsn, pool=5, patience=PATIENCE, name=me.name)
    with Reader(beat=me.beat) as reader:
        poller = Poller(me, database, reader)
        me.run(poller.once)
        poller.close()
    database.close()


if __name__ == "__main__":
    main()
