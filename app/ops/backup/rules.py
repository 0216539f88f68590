"""When the next backup is to begin."""

from datetime import datetime, time, timedelta, tzinfo

AGAIN = timedelta(hours=1)  # after one that failed
SETTLE = timedelta(minutes=10)  # that a desk is given after its start, should the night have passed without it
DAY = timedelta(days=1)


def due_at(at: time, zone: tzinfo, *, good: datetime | None, tried: datetime | None, began: datetime) -> datetime:
    """The moment of the next one: the first time that the clock shows `at` after the last good one.

    `began` is when the desk was started, and `tried` when a backup failed since the last good one.
    """
    planned = next_time(at, zone, good or began)
    if planned <= began:
        planned = began + SETTLE
    return max(planned, tried + AGAIN) if tried else planned


def next_time(at: time, zone: tzinfo, after: datetime) -> datetime:
    """When clocks of this zone show `at` next. A time that a day leaves out is taken an hour later, one that comes twice once."""
    day = after.astimezone(zone).date()
    for days in range(3):
        moment = datetime.combine(day + days * DAY, at, zone)
        if moment.timestamp() > after.timestamp():
            return datetime.fromtimestamp(moment.timestamp(), after.tzinfo)
    raise AssertionError("a day has 24 hours, or a few more or less")
