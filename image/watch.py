"""What the listener decides, without doing anything: pure, so that tests can tell it any story.

Its times are those of a clock that nobody puts: a machine whose clock jumps, or that slept, has no program that is stuck.
"""

from collections import deque
from dataclasses import dataclass, field

DEATHS, WITHIN = 5, 120.0  # so many unexpected ends within so many seconds are a failure for good
SILENCE = 30.0  # seconds without a heartbeat that mean stuck
GAP = 10.0  # seconds at most that count from one look to the next: who looked on nobody meanwhile knows no more
MISSES = 3  # unanswered probes in a row that mean frozen


@dataclass
class Life:
    """What is known of one program: its process, how often it began and when it died, and what it showed of itself when."""

    pid: int = 0
    starts: int = 0
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS))
    misses: int = 0
    shown: tuple[int, float, float | None] | None = None
    looked: float = 0.0
    silent: float = 0.0

    def began(self, pid: int) -> None:
        self.pid, self.misses, self.starts = pid, 0, self.starts + 1

    def died(self, now: float) -> bool:
        """Note an unexpected end; True when it is one too many."""
        self.pid = 0
        self.deaths.append(now)
        return len(self.deaths) == DEATHS and now - self.deaths[0] <= WITHIN

    def stuck(self, beat: float, ready: float | None, now: float) -> bool:
        """Whether its heartbeat has been the same for too long, whatever its time says.

        Nothing is asked of a program before the desk is ready: a migration may take a quarter of an hour.
        """
        shown = (self.pid, beat, ready)
        same = self.pid and ready is not None and shown == self.shown
        self.silent = self.silent + min(now - self.looked, GAP) if same else 0.0
        self.shown, self.looked = shown, now
        return self.silent >= SILENCE

    def missed(self, answered: bool) -> bool:
        """Note a probe's outcome; True when the program has been silent once too often."""
        self.misses = 0 if answered or not self.pid else self.misses + 1
        return self.misses >= MISSES


@dataclass(frozen=True)
class Verdict:
    """Why the container has to end, for the launcher."""

    code: int
    program: str
    message: str


def on_death(program: str, life: Life, now: float) -> Verdict | None:
    """What follows from an unexpected end. `boot` runs once, so its first failure is the last word."""
    too_often = life.died(now)
    if program == "boot":
        return Verdict(70, program, "it ended without saying why")
    if too_often:
        return Verdict(70, program, f"it died {DEATHS} times within {WITHIN:.0f} s")
    return None


def on_fatal(program: str) -> Verdict:
    return Verdict(70, program, "it could not be started")
