"""When it is too quiet in a mailbox: how long a mail to oneself may take, and how unlikely it is that nobody writes."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

LEAST_PATIENCE, MOST_PATIENCE = timedelta(minutes=15), timedelta(hours=6)
LEAST_SILENCE = timedelta(hours=3)
IMPROBABLE = 0.001
LEAST_WEEKS, MOST_WEEKS = 2, 8
_HOUR, _WEEK = timedelta(hours=1), timedelta(weeks=1)
_LOOK_AT_MOST = 4 * 168  # hours of a silence


def patience(trips: Sequence[float]) -> timedelta:
    """How long a mail that the desk sent itself may take, by the seconds that earlier ones took."""
    slow = timedelta(seconds=3 * max(trips, default=0.0))
    return min(max(slow, LEAST_PATIENCE), MOST_PATIENCE)


def hour(at: datetime) -> datetime:
    """The hour that a time is in."""
    return at.replace(minute=0, second=0, microsecond=0)


def chance(hours: Collection[datetime], since: datetime, until: datetime) -> float:
    """How likely it is that no mail comes from `since` to `until`, in a mailbox to which some came in each of these hours.

    Each hour of the week has mail as often as it had in the weeks before `since`. What counts is whether mail came in an hour,
    not how much: mails come in flocks, and of ten that answer each other's the last nine say nothing about silence. 1 before
    enough is known.
    """
    known = {one for at in hours if (one := hour(at)) < since}
    weeks = min((since - min(known, default=since)) // _WEEK, MOST_WEEKS)
    if weeks < LEAST_WEEKS:
        return 1.0
    often = Counter(_of_week(at) for at in known if at >= since - weeks * _WEEK)
    logarithm, at = 0.0, since
    for _ in range(_LOOK_AT_MOST):
        if at >= until:
            break
        end = min(hour(at) + _HOUR, until)
        # No history proves that an hour always has mail: one week more is reckoned with, in which it had none.
        quiet = 1 - min(often[_of_week(at)], weeks) / (weeks + 1)
        logarithm += math.log(quiet) * ((end - at) / _HOUR)
        at = end
    return math.exp(logarithm)


def improbable(hours: Collection[datetime], since: datetime, until: datetime) -> bool:
    """Whether a silence is longer than chance makes it."""
    return until - since >= LEAST_SILENCE and chance(hours, since, until) < IMPROBABLE


def _of_week(at: datetime) -> tuple[int, int]:
    return at.weekday(), at.hour
