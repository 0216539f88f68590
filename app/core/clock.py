"""The only place that asks the operating system what time it is."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def epoch() -> float:
    """Seconds since 1970, to compare with the times of files."""
    return time.time()
