"""Tells open streams what happens: one thread a process, which hears NOTIFY, reads once for all streams, and hands out.

Whatever many events ring the bell, the tables are read at most twice a second. Every stream's session or token, role and teams
are read again every few seconds, and at once when anything about people or teams was written down.
"""

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import Connection

from app.accounts.identity import Identity
from app.accounts.rules import Verb, may
from app.audit.actions import CHANNEL
from app.core.errors import DeskError, TooMany, Unavailable
from app.db.bell import Bell, Ring
from app.db.redis import Board
from app.db.session import Database
from app.tickets import news, presence
from app.tickets.news import News
from app.web import stream
from app.web.stream import Stream, written

PAUSE = 0.5  # seconds between two readings
ROLL_CALL = 2.5  # seconds between two looks at who the readers are
OF_ONE = 10  # streams of one person
MOST = 300  # streams of one process
BACK = 5000  # entries that a client that comes back is told of; whoever was away for longer starts anew
CHUNK = 500

log = logging.getLogger(__name__)


class Full(TooMany):
    """You have as many live streams open as one person may. Close some first."""

    slug = "too-many-streams"


class Ending(Unavailable):
    """This process takes no more live streams right now. Try again shortly."""


class Live:
    """The streams of one process, and the thread that feeds them while there are any."""

    def __init__(self, database: str, redis: str) -> None:
        self.board = Board(redis)
        self.life = stream.LIFE
        self._dsn = database
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._of: Counter[int] = Counter()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def join(self, fresh: Stream) -> None:
        """Feed this one too. Raises Full where its reader has enough streams, Ending where the process has."""
        with self._lock:
            if self._of[fresh.who.id] >= OF_ONE:
                raise Full(retry_after=5)
            if len(self._streams) >= MOST or self._stop.is_set():
                raise Ending
            self._streams.add(fresh)
            self._of[fresh.who.id] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._feed, name="live", daemon=True)
                self._thread.start()

    def leave(self, gone: Stream) -> None:
        """The reader has gone."""
        with self._lock:
            if gone in self._streams:
                self._streams.discard(gone)
                self._of -= Counter([gone.who.id])

    def end(self) -> None:
        """End every stream and take no more."""
        self._stop.set()
        for each in self._now():
            each.end()

    def wait(self) -> None:
        """Until the thread has ended, after `end`."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _now(self) -> list[Stream]:
        with self._lock:
            return [each for each in self._streams if not each.over]

    def _feed(self) -> None:
        try:
            with contextlib.closing(Feeder(self._dsn, self.board)) as feeder:
                while self._wanted():
                    feeder.round(self._now())
        finally:
            with self._lock:
                broken = self._thread is threading.current_thread()
                self._thread = None if broken else self._thread
            for each in self._now() if broken else ():  # they come back, and with them another thread
                each.end()

    def _wanted(self) -> bool:
        """Whether there is anybody left to feed. Said under the lock: who joins after a no begins a new thread."""
        with self._lock:
            if self._streams and not self._stop.is_set():
                return True
            self._thread = None
            return False


class Feeder:
    """What the thread does, round by round."""

    def __init__(self, dsn: str, board: Board) -> None:
        self._db = Database(dsn, pool=1, name="live")
        self._bell = Bell(dsn, CHANNEL, presence.CHANNEL, name="live bell")
        self._board = board
        self._at: int | None = None
        self._called = 0.0

    def close(self) -> None:
        self._bell.take_down()
        self._db.close()

    def round(self, streams: list[Stream]) -> None:
        """Wait for the bell, tell what there is, and rest."""
        try:
            self._bell.hang()
            rung = self._bell.wait(PAUSE)
            if self._worth_reading(rung) or self._due or any(not each.caught_up for each in streams):
                with self._db.reading() as c:
                    self._tell(c, streams, rung)
                time.sleep(PAUSE if rung else 0.0)
        except Unavailable as wrong:
            log.warning("live streams wait for the database", extra={"reason": str(wrong.__cause__ or wrong)})
            self._bell.take_down()
            time.sleep(1.0)

    def _worth_reading(self, rung: list[Ring]) -> bool:
        """Not where all that rang is told already."""
        known = self._at or 0
        return any(channel != CHANNEL or not said.isdecimal() or int(said) > known for channel, said in rung)

    @property
    def _due(self) -> bool:
        return time.monotonic() - self._called >= ROLL_CALL

    def _tell(self, c: Connection, streams: list[Stream], rung: list[Ring]) -> None:
        if self._at is None:
            self._at = news.head(c)
        while True:
            found = news.since(c, self._at, limit=CHUNK)
            if self._due or any(each.place is None for each in found):
                self._call_the_roll(c, streams)
            for each in streams:
                _offer(each, found)
            if found:
                self._at = found[-1].seq
            if len(found) < CHUNK:
                break
        for each in streams:
            if not each.caught_up:
                _catch_up(c, each, self._at)
        self._tell_presence(c, streams, rung)

    def _call_the_roll(self, c: Connection, streams: list[Stream]) -> None:
        for each in streams:
            try:
                each.who = each.check(c)
            except Unavailable:
                raise
            except DeskError:
                each.end()
                each.over = True
        self._called = time.monotonic()

    def _tell_presence(self, c: Connection, streams: list[Stream], rung: list[Ring]) -> None:
        numbers = sorted({int(said) for channel, said in rung if channel == presence.CHANNEL and said.isdecimal()})
        staff = [each for each in streams if each.who.staff]
        if not numbers or not staff:
            return
        for number, place in news.places(c, numbers).items():
            event = written("presence", {"ticket": number, "people": presence.told(presence.here(self._board, number))})
            for each in staff:
                if may(each.who, Verb.SEE, place):
                    each.offer(event)


def _offer(to: Stream, found: list[News]) -> None:
    if not to.caught_up or to.over:
        return
    for each in found:
        if each.seq > to.after and (told := each.told(to.who)) is not None:
            to.offer(written("ticket", told, id=each.seq))


def _catch_up(c: Connection, to: Stream, up_to: int) -> None:
    """What happened between the stream's own place and where all others are."""
    at = to.after
    to.caught_up = True
    while at < up_to:
        found = news.since(c, at, to=up_to, limit=CHUNK)
        _offer(to, found)
        at = found[-1].seq if found else up_to


@dataclass(frozen=True)
class Beginning:
    """Whose stream it will be, where it begins, and whether the place that the client knows is of no use."""

    who: Identity
    check: Callable[[Connection], Identity]
    after: int
    stale: bool


def begin(c: Connection, check: Callable[[Connection], Identity], last: str | None) -> Beginning:
    """Let somebody in, `last` being the last entry that they know of."""
    who, head = check(c), news.head(c)
    if last is None:
        return Beginning(who, check, head, stale=False)
    known = int(last) if last.isdecimal() and len(last) < 19 else head + 1
    back = head - BACK <= known <= head
    return Beginning(who, check, known if back else head, stale=not back)


def live_of(request: Request) -> Live:
    """The live streams of this process."""
    found: Live = request.app.state.live
    return found
