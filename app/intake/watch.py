"""Reading one mailbox: take what is new, tell the server what has its outcome, wait, and all over again.

The first look at a mailbox takes what nobody has read yet of the last day, and leaves everything older to whoever read mail
here before us: a desk must not answer years of old mail, but the mail that somebody sent to try it should be there. Whoever
wants more says since when.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from app.config import Settings
from app.db.locks import Keeper, Lock
from app.db.session import Database
from app.db.session import now as database_now
from app.files import room
from app.intake import actions, grants, imap, mailboxes, queries
from app.intake.failure import MailboxFailure, Refused
from app.intake.folder import Folder
from app.intake.mailboxes import LeaseLost
from app.intake.models import Mailbox
from app.intake.rules.states import FailureClass
from app.intake.stubborn import LARGEST, Stubborn

FIRST_LOOK = timedelta(days=1)
CLOCKS_DIFFER = timedelta(minutes=15)
LONGEST_IDLE = 300  # seconds until we look by ourselves: word of new mail gets lost, and routers forget silent connections
LOOK_FOR_ROOM = 10  # seconds between looks while the disk is full
LOOK_AGAIN = 5.0  # seconds between looks at a mailbox that is not to be asked now
LOOK_BACK = timedelta(days=14)
LOOK_BACK_EVERY = 6 * 3600.0  # seconds
LOOK_BACK_AT_MOST = 300.0  # seconds between two on one that is lost again and again
OLD_AT_MOST = 50  # mails from before us that are taken without asking, after a renumbering
RENEW_AGAIN = 300.0  # seconds after a sign-in could not be renewed ahead of time
STEADY = 10.0  # seconds after which a lost connection is the ordinary end of a session, not a failure

log = logging.getLogger(__name__)


class Watch:
    """Reads one mailbox until `stop`. Sets `arrived` when mail was taken; `settled` tells it that some has its outcome."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        mailbox_id: int,
        *,
        stop: threading.Event,
        arrived: threading.Event,
        keeper: Keeper | None = None,
    ) -> None:
        self._database = database
        self._keeper = keeper or Keeper(database.dsn, name="mailbox")
        self._settings = settings
        self._id = mailbox_id
        self._stop = stop
        self._arrived = arrived
        self.settled = threading.Event()
        self._steady_at = float("inf")
        self._refused = ""
        self._looked_back_at = self._renew_at = float("-inf")
        self._stubborn = Stubborn()
        self._short = False

    def turn(self) -> float:
        """One session with the server, as long as it lasts; answers the seconds to wait before the next."""
        with self._database.transaction() as s:
            mailbox = s.get_one(Mailbox, self._id)
            now = database_now(s)
        if mailbox.next_try_at and mailbox.next_try_at > now:
            return min((mailbox.next_try_at - now).total_seconds(), LOOK_AGAIN)
        self._steady_at = float("inf")
        try:
            return self._with_lock()
        except LeaseLost:
            return LOOK_AGAIN
        except MailboxFailure as failure:
            if failure.kind is FailureClass.TRANSPORT and time.monotonic() > self._steady_at:
                return 0.0
            with self._database.transaction() as s:
                mailboxes.failed(s, self._id, failure, now=database_now(s), zone=ZoneInfo(self._settings.tz))
            return 0.0

    def _with_lock(self) -> float:
        """The lock ends with its connection, however this process ends."""
        with self._keeper.trying(f"mailbox:{self._id}") as lock:
            if lock is None:
                return LOOK_AGAIN
            with self._database.transaction() as s:
                mailbox = mailboxes.lease(s, self._id)
            with imap.opened(grants.account(self._database, self._keeper, mailbox, self._settings)) as folder:
                self._session(mailbox, folder, lock)
            return 0.0

    def _session(self, mailbox: Mailbox, folder: Folder, lock: Lock) -> None:
        if mailbox.uidvalidity != folder.uidvalidity:
            self._adopt(mailbox, folder)
        began = time.monotonic()
        look_back_at = self._looked_back_at + LOOK_BACK_AT_MOST  # with every new connection
        while not self._stop.is_set():
            self.settled.clear()
            self._acknowledge(mailbox, folder)
            room_left = self._finds_room(mailbox)
            if room_left:
                self._take(mailbox, folder, folder.after(mailbox.last_uid))
            if room_left and time.monotonic() > look_back_at:
                self._look_back(mailbox, folder)
                look_back_at = self._looked_back_at + LOOK_BACK_EVERY
            lock.check()
            self._renew(mailbox)
            with self._database.transaction() as s:
                present = mailboxes.works(s, self._id, now=database_now(s))
            if present.lease_epoch != mailbox.lease_epoch:
                raise LeaseLost(f"{mailbox.name} begins anew, or another poller reads it now.")
            mailbox.processed_folder = present.processed_folder
            self._steady_at = began + STEADY
            pause = min(self._settings.email_poll_interval, LONGEST_IDLE if room_left else LOOK_FOR_ROOM)
            folder.wait(pause, self._stop, self.settled)

    def _finds_room(self, mailbox: Mailbox) -> bool:
        """Whether the disk has room for mail. Where it hasn't, mail is left with its server as it is, and that is told once."""
        short = room.is_short(self._settings.data_dir)
        if short != self._short:
            told = "the disk is nearly full: mail is left at its server" if short else "there is room again: mail is fetched"
            log.log(logging.ERROR if short else logging.INFO, told, extra={"mailbox": mailbox.name})
        self._short = short
        return not short

    def _renew(self, mailbox: Mailbox) -> None:
        """Renew the sign-in ahead of time, so that a person hears of it while mail still comes in. A little trouble waits."""
        if time.monotonic() < self._renew_at:
            return
        try:
            grants.access(self._database, self._keeper, mailbox, self._settings)
        except MailboxFailure as failure:
            if failure.kind is FailureClass.GRANT:
                raise
            self._renew_at = time.monotonic() + RENEW_AGAIN

    def _adopt(self, mailbox: Mailbox, folder: Folder) -> None:
        """Begin with a folder that is new to us, or that the server has numbered anew.

        The cursor moves only when all of it is taken; killed before, this begins again. After a renumbering everything is
        taken that came since we know the mailbox: what we had already turns out to be a duplicate when it is read.
        """
        first = mailbox.uidvalidity is None
        with self._database.transaction() as s:
            since = mailbox.created_at - CLOCKS_DIFFER
            if first:
                since = mailbox.import_since or database_now(s) - FIRST_LOOK
        uids = folder.since(since, unread=first and mailbox.import_since is None)
        if not first:
            self._refuse_backlog(mailbox, folder, uids)
        self._take(mailbox, folder, self._not_taken(mailbox, folder, uids), move=False)
        if self._stop.is_set():
            return
        with self._database.transaction() as s:
            mailboxes.move_cursor(s, mailbox, uidvalidity=folder.uidvalidity, last_uid=folder.uidnext - 1)
            actions.drop_acknowledgements(s, mailbox, uidvalidity=folder.uidvalidity, now=database_now(s))
        mailbox.uidvalidity, mailbox.last_uid = folder.uidvalidity, folder.uidnext - 1
        if first:
            left = max(folder.unread() - len(uids), 0)
            log.info("first look at a mailbox", extra={"mailbox": mailbox.name, "taken": len(uids), "unread_left": left})
        else:
            log.warning("the server numbered the folder anew", extra={"mailbox": mailbox.name, "looked_at": len(uids)})

    def _refuse_backlog(self, mailbox: Mailbox, folder: Folder, uids: Sequence[int]) -> None:
        """A server that was restored may say of mails of many years that they came today: then a person decides."""
        written = folder.written(uids)
        with self._database.reading() as c:
            known = queries.known_ids(c, mailbox, [id for _, id in written.values()])
        old = [at for at, id in written.values() if at and at < mailbox.created_at - FIRST_LOOK and id not in known]
        if len(old) > OLD_AT_MOST:
            words = (
                f"the server numbered the folder anew, and now {len(old)} mails that are older than this mailbox look new. Say"
            )
            words += f" since when they are to be taken: atum mailbox set {mailbox.name} --import-since YYYY-MM-DD"
            raise MailboxFailure(FailureClass.FOLDER, words)

    def _look_back(self, mailbox: Mailbox, folder: Folder) -> None:
        """Take what lies behind the cursor and was never seen: some servers number a mail before they show it."""
        with self._database.reading() as c:
            since = max(c.execute(select(func.now())).scalar_one() - LOOK_BACK, mailbox.created_at + CLOCKS_DIFFER)
        passed = [uid for uid in folder.since(since) if uid <= mailbox.last_uid]
        missed = self._not_taken(mailbox, folder, passed)
        if missed:
            log.warning("mails showed up behind those we had", extra={"mailbox": mailbox.name, "taken": len(missed)})
            self._take(mailbox, folder, missed, move=False)
        self._looked_back_at = time.monotonic()
        self._ask_again(mailbox, folder)

    def _ask_again(self, mailbox: Mailbox, folder: Folder) -> None:
        """Whatever the server did not give when it was new: by now it may."""
        with self._database.reading() as c:
            withheld = queries.withheld(c, mailbox, uidvalidity=folder.uidvalidity)
        for id, uid, size in withheld:
            with suppress(Refused):
                for mail in folder.fetch([(uid, size)], largest=LARGEST, texts=True):
                    with self._database.transaction() as s:
                        actions.given(s, id, mail, large=actions.blobs(self._settings), now=database_now(s))
                    self._arrived.set()

    def _not_taken(self, mailbox: Mailbox, folder: Folder, uids: Sequence[int]) -> list[int]:
        with self._database.reading() as c:
            return queries.not_taken(c, mailbox, uids, uidvalidity=folder.uidvalidity)

    def _take(self, mailbox: Mailbox, folder: Folder, uids: Sequence[int], *, move: bool = True) -> None:
        large = actions.blobs(self._settings)
        for batch in self._stubborn.batches(folder, uids):
            if self._stop.is_set():
                return
            mails = self._stubborn.fetch(folder, batch)
            with self._database.transaction() as s:
                now = database_now(s)
                actions.take(s, mailbox, mails, uidvalidity=folder.uidvalidity, large=large, now=now, move=move)
            if move:
                mailbox.last_uid = max([mailbox.last_uid, *(m.uid for m in mails)])
            self._arrived.set()

    def _acknowledge(self, mailbox: Mailbox, folder: Folder) -> None:
        while not self._stop.is_set():
            with self._database.transaction() as s:
                rows = queries.to_acknowledge(s, mailbox, uidvalidity=folder.uidvalidity)
            if not rows or not self._flagged(mailbox, folder, [uid for _, uid in rows]):
                return
            with self._database.transaction() as s:
                actions.acknowledged(s, [id for id, _ in rows], now=database_now(s))

    def _flagged(self, mailbox: Mailbox, folder: Folder, uids: Sequence[int]) -> bool:
        """Whether the server took the flags, and put it away. One that refuses is asked again at the next look, told of once."""
        refused, what = folder.flag(uids), "flag"
        if not refused and mailbox.processed_folder:
            refused, what = folder.put_away(uids, mailbox.processed_folder), "move"
        if refused and refused != self._refused:
            log.warning("the server won't %s what we have taken", what, extra={"mailbox": mailbox.name, "reason": refused})
        self._refused = refused
        return not refused
