"""What every worker's process shares: its heartbeat, waiting for the ready mark, stopping when asked, and threads beside that."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from app import config
from app.config import Settings
from app.core import log as logs
from app.core.errors import DeskError
from app.db.session import DatabaseGone

log = logging.getLogger(__name__)
LONGEST_PAUSE = 30.0


class Worker:
    """One long-running process, known to supervisord as `name`.

    `stop` is set on SIGTERM or SIGINT; whoever waits, waits on it. `beat` says that the process is alive and not stuck.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.stop = threading.Event()
        self._mark = settings.app_run / "heartbeat" / name
        logs.start(name, settings.log_level)

    def listen_for_signals(self) -> None:
        """TERM and INT end the loop between two pieces of work."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())

    def beat(self) -> None:
        """Leave a sign of life: the file's age is how long ago the loop last came round, its text is the process's id."""
        with contextlib.suppress(OSError):  # no place to leave it is no reason to stop working
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.write_text(str(os.getpid()))

    def wait_until_ready(self) -> bool:
        """Until `boot` has left its mark; False if asked to stop before."""
        ready = self.settings.app_run / "ready"
        while not ready.exists() and not self.stop.is_set():
            self.beat()
            self.stop.wait(0.1)
        return not self.stop.is_set()

    def run(self, once: Callable[[], float]) -> None:
        """Call `once` until told to stop. It does what is due and answers the seconds it would like to rest.

        A failure is logged when it begins and when it is over, and the pause grows from 1 s to 30 s meanwhile.
        """
        self.listen_for_signals()
        if not self.wait_until_ready():
            return
        pause, failing = 1.0, ""
        while not self.stop.is_set():
            self.beat()
            try:
                rest = once()
            except Exception as wrong:  # the loop outlives whatever one round meets
                failing = self._tell_once(failing, wrong)
                self._rest(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            if failing:
                log.info("works again", extra={"after": failing})
            pause, failing = 1.0, ""
            self._rest(rest)

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.stop.is_set() and (left := until - time.monotonic()) > 0:
            self.stop.wait(min(left, 1.0))
            self.beat()

    @staticmethod
    def _tell_once(before: str, wrong: Exception) -> str:
        reason = f"{type(wrong).__name__}: {wrong}"
        if reason != before:
            log.error("this round failed; trying again", extra={"reason": reason}, exc_info=not isinstance(wrong, DeskError))
        return reason


class Turning(threading.Thread):
    """Does something again and again. It ends with the process, and whatever it was doing is done again by the next.

    `turn` answers the seconds until it is to be called again; for the first time it is `after` so many.
    """

    def __init__(
        self, name: str, turn: Callable[[], float], otherwise: str, ending: threading.Event, *, after: float = 0.0
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._turn, self._otherwise, self._after = turn, otherwise, after
        self.ending = ending

    def run(self) -> None:
        """Turn after turn. What goes wrong on our own side is told once, and tried again ever more rarely."""
        pause, failing = 1.0, ""
        self.ending.wait(self._after)
        while not self.ending.is_set():
            try:
                rest = self._turn()
            except Exception as wrong:  # the thread outlives whatever it meets
                reason = f"{type(wrong).__name__}: {wrong}"
                if reason != failing:
                    expected = isinstance(wrong, DatabaseGone)
                    log.error(self._otherwise, extra={"reason": reason}, exc_info=not expected)
                failing, rest, pause = reason, pause, min(pause * 2, LONGEST_PAUSE)
            else:
                pause, failing = 1.0, ""
            self.ending.wait(rest)


def worker(name: str) -> Worker:
    """A worker with the settings in force."""
    return Worker(config.process_name(name), config.load())
