"""What the listener decides, without doing anything: pure, so that tests can tell it any story."""

from collections import deque
from dataclasses import dataclass, field

DEATHS, WITHIN = 5, 120.0  # so many unexpected ends within so many seconds are a failure for good
SILENCE = 30.0  # seconds without a heartbeat that mean stuck
MISSES = 3  # unanswered probes in a row that mean frozen


@dataclass
class Life:
    """What is known of one program: its process and when (epoch seconds) that began, and how often it died lately."""

    pid: int = 0
    since: float = 0.0
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS))
    misses: int = 0

    def began(self, pid: int, now: float) -> None:
        self.pid, self.since, self.misses = pid, now, 0

    def died(self, now: float) -> bool:
        """Note an unexpected end; True when it is one too many."""
        self.pid = 0
        self.deaths.append(now)
        return len(self.deaths) == DEATHS and now - self.deaths[0] <= WITHIN

    def stuck(self, beat: float | None, ready: float | None, now: float) -> bool:
        """Whether its heartbeat (time of the last one; None: there was none) has been missing for too long.

        Nothing is asked of a program before the desk is ready: a migration may take a quarter of an hour.
        """
        if not self.pid or ready is None:
            return False
        return now - max(self.since, ready, beat or 0.0) > SILENCE

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
