"""Whether somebody put the database's clock forward or back, told by one that nobody can put: the machine's monotonic one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LEAST = 2.0  # seconds that the two may differ by
SLEW = 0.0005  # and the share of the time between: adjtime(3) changes the pace of a clock by no more


@dataclass(frozen=True)
class Reading:
    """The database said `at` between these two instants of the monotonic clock, in seconds."""

    at: datetime
    after: float
    before: float


def stepped(first: Reading, second: Reading) -> timedelta | None:
    """By how much the clock was put forward between two readings; negative for back, None where it only went on."""
    wall = (second.at - first.at).total_seconds()
    least, most = second.after - first.before, second.before - first.after
    slack = LEAST + SLEW * most
    if wall > most + slack:
        return timedelta(seconds=wall - most)
    return timedelta(seconds=wall - least) if wall < least - slack else None
