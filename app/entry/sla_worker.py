"""Notices deadlines to the second: woken by NOTIFY and by the next one due, and once a second in any case.

Any number of these may run. Whatever is due is found in the tables, so a lost wake-up costs a second and a lost worker nothing.
"""

import logging
import time
from dataclasses import asdict
from functools import cached_property
from zoneinfo import ZoneInfo

from app.core.errors import Unavailable
from app.db.bell import Bell
from app.db.session import Database
from app.db.session import now as database_now
from app.entry.loop import Worker, worker
from app.ops import lateness
from app.ops.notary import Notary
from app.ops.timekeeper import Timekeeper
from app.outbox.house import House, house
from app.sla import actions, calendars, ladder, queries, rebuild, rechecking
from app.tickets import deadlines, escalating, facts, planned, snooze

SWEEPS = 50  # for deadlines, before anything else has its turn
SHORTEST, LONGEST = 0.002, 1.0  # seconds to listen

log = logging.getLogger(__name__)


class Recheck:
    """Replays every open clock each `interval` seconds, a chunk at a time, and reports rows that differ, once. It mends none."""

    def __init__(self, db: Database, interval: int) -> None:
        self._db, self._interval = db, interval
        self._after: int | None = None
        self._next = time.monotonic()
        self._found: set[queries.Drift] = set()
        self._reported: set[queries.Drift] = set()

    def step(self) -> bool:
        """Look at one chunk, if it is time; whether there is more of this round to come."""
        if self._after is None and time.monotonic() < self._next:
            return False
        with self._db.transaction() as s:
            drifts, self._after = queries.drifts(s, after=self._after or 0, limit=rechecking.CHUNK)
            self._found.update(drifts)
            if self._after is None:
                rechecking.keep(s, self._found)
        for drift in set(drifts) - self._reported:
            log.error("a clock differs from its replay", extra=asdict(drift))
        if self._after is None:
            self._next = time.monotonic() + self._interval
            self._reported, self._found = self._found, set()
        return self._after is not None


class Watch:
    """One worker's round: everything that is due, a step of the re-check, then rest until the next deadline or the bell."""

    def __init__(self, me: Worker) -> None:
        self._me = me
        dsn = me.settings.database_dsn
        self._db = Database(dsn, pool=1, name=me.name)
        self._bell = Bell(dsn, actions.WAKE, name=f"{me.name} bell")
        self._recheck = Recheck(self._db, me.settings.sla_check_interval)
        self._notary = Notary(self._db, me.settings)
        self._timekeeper = Timekeeper(self._db)
        self._zone = ZoneInfo(me.settings.tz)
        self._zones_known = False
        lateness.begin()

    def round(self) -> float:
        """Answers no rest: the waiting is done here, where a notification ends it."""
        self._bell.hang()
        self._know_zones()
        self._timekeeper.step()
        seconds = self._all_due()
        more = self._rebuilt() or self._recheck.step()  # what is about to be reckoned again needs no check
        self._notary.step()
        self._bell.wait(SHORTEST if more else min(max(seconds, SHORTEST), LONGEST))
        return 0.0

    def _rebuilt(self) -> bool:
        """Some clocks reckoned again after promises changed; whether there are more."""
        with self._db.transaction() as s:
            return rebuild.step(s, facts.of_many)

    def close(self) -> None:
        self._bell.take_down()
        self._db.close()

    def _know_zones(self) -> None:
        """Once, before anything is due: what is known of time zones is another thing only in another image."""
        if not self._zones_known:
            with self._db.transaction() as s:
                renewed = calendars.renew_zones(s, now=database_now(s))
            if renewed:
                log.info("the rules of time zones changed; clocks are reckoned again", extra={"calendars": renewed})
            self._zones_known = True

    @cached_property
    def _house(self) -> House | None:
        """None without a key: nothing to sign links with is no reason to miss a deadline; `boot` complains of it."""
        try:
            return house(self._me.settings)
        except FileNotFoundError:
            return None

    def _tell(self) -> int:
        """How many escalations were dealt with."""
        if self._house is None:
            return 0
        with self._db.transaction() as s:
            return escalating.tell_due(s, self._house, self._zone)

    def _all_due(self) -> float:
        """Seconds until the next one, when nothing is due any more."""
        done = 1
        nearest: tuple[float | None, ...] = ()
        while done and not self._me.stop.is_set():
            done = self._notice()
            done += self._tell()
            with self._db.transaction() as s:
                done += snooze.wake_due(s, self._zone)
            done += self._send_planned()
            if done:  # what there is to tell may take minutes, and promises that changed don't wait for that
                self._rebuilt()
            with self._db.transaction() as s:
                nearest = (
                    actions.seconds_until_next(s),
                    ladder.seconds_until_next(s) if self._house else None,
                    snooze.seconds_until_next(s),
                    planned.seconds_until_next(s),
                )
            self._me.beat()
        return min((seconds for seconds in nearest if seconds is not None), default=LONGEST)

    def _notice(self) -> int:
        """Deadlines come before everything else that is due, up to some thousands at a time; how many there were to tell of."""
        total = 0
        for _ in range(SWEEPS):
            with self._db.transaction() as s:
                found = deadlines.process_due(s)
            lateness.noticed(found)
            total += len(found)
            if not found:
                break
            self._me.beat()
        return total

    def _send_planned(self) -> bool:
        """An answer that trips over a mistake of ours is put off, and told of: no deadline waits for it."""
        begun: list[int] = []
        try:
            return planned.process_one(self._db, begun.append)
        except Unavailable:
            raise
        except Exception:  # one answer must not stop the deadlines
            if not begun:
                raise
            log.exception("an answer could not be sent; it is tried again in an hour", extra={"planned": begun[0]})
            with self._db.transaction() as s:
                planned.put_off(s, begun[0], now=database_now(s))
            return True


def main() -> None:
    """Run until told to stop."""
    me = worker("sla-worker")
    watch = Watch(me)
    try:
        me.run(watch.round)
    finally:
        watch.close()


if __name__ == "__main__":
    main()
