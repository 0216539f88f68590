"""Thresholds: points of used working time that somebody is told of. "75%" of what was promised, "-30m" before all of it is used,
"+1h" after. The text is the threshold's name.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import cache

BREACH = "100%"  # always told
MOST = 10  # of one metric
_PERCENT = re.compile(r"([1-9]\d{0,3})%")
_FIXED = re.compile(r"([+-])(\d{1,5})([mh])")
_MINUTES = {"m": 1, "h": 60}
_HIGHEST = 1000  # percent
_FARTHEST = 365 * 24 * 60  # minutes


class BadThreshold(ValueError):
    """What can't be a threshold; the message says why."""


def normal(raw: str) -> str:
    """A threshold as it is stored and compared. Raises BadThreshold."""
    text = raw.strip().lower().replace(" ", "")
    if percent := _PERCENT.fullmatch(text):
        if int(percent[1]) > _HIGHEST:
            raise BadThreshold(f"{raw!r} is too far: a threshold is at most {_HIGHEST}%")
        return text
    fixed = _FIXED.fullmatch(text)
    if fixed is None:
        raise BadThreshold(f"{raw!r} is no threshold: write a share like 75%, or a time before or after like -30m or +1h")
    minutes = int(fixed[2]) * _MINUTES[fixed[3]]
    if minutes > _FARTHEST:
        raise BadThreshold(f"{raw!r} is too far: a threshold is at most a year away")
    if minutes == 0:
        return BREACH
    return f"{fixed[1]}{minutes // 60}h" if minutes % 60 == 0 else f"{fixed[1]}{minutes}m"


def point(threshold: str, target: timedelta) -> timedelta:
    """How much working time is used when it falls."""
    percent, offset = _parsed(threshold)
    return target * percent / 100 + offset


def ordered(names: Iterable[str], target: timedelta) -> tuple[str, ...]:
    """These and the breach, in the order in which they fall. One that would fall before the start never does."""
    falling = {name for name in names if point(name, target) > timedelta(0)} | {BREACH}
    return tuple(sorted(falling, key=lambda name: (point(name, target), name)))


def farthest(names: Iterable[str], target: timedelta) -> timedelta:
    """How much working time is used when the last of these and the breach falls."""
    return point(ordered(names, target)[-1], target)


def after_breach(threshold: str, target: timedelta) -> bool:
    """Whether it falls later than the breach."""
    return point(threshold, target) > target


@cache
def _parsed(threshold: str) -> tuple[int, timedelta]:
    if threshold.endswith("%"):
        return int(threshold[:-1]), timedelta(0)
    minutes = int(threshold[:-1]) * _MINUTES[threshold[-1]]
    return 100, timedelta(minutes=minutes)
