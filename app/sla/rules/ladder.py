"""Who is told of a threshold, how often, and at which hours."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core import text
from app.hours.rules import Hours
from app.sla.rules.words import Metric

MOST_STEPS = 20  # of one policy
MOST_RECIPIENTS = 20  # of one step
MOST_TIMES = 100
SOONEST, LATEST = timedelta(minutes=1), timedelta(days=7)  # between two tellings
GROUPS = ("managers", "admins", "team", "assignee")
PERSON = re.compile(r"person:([1-9]\d{0,17})")
WEBHOOK = re.compile(r"webhook:([1-9]\d{0,17})")
_NUMBERED = re.compile(f"{PERSON.pattern}|{WEBHOOK.pattern}")
_LEAST = timedelta(microseconds=1)


class BadStep(ValueError):
    """What can't be a step of a ladder; the message says why."""


@dataclass(frozen=True)
class Rung:
    """`recipients` are "managers", "admins", "team", "assignee", "person:7", addresses, or "webhook:3" for a program elsewhere.
    Without a `calendar` they are told at any hour. They are told `most` times in all, every `repeat`, until somebody acknowledges
    it.
    """

    metric: Metric
    threshold: str
    recipients: tuple[str, ...]
    calendar: int | None = None
    repeat: timedelta | None = None
    most: int = 1

    def check(self) -> None:
        """Raises BadStep."""
        if not 1 <= len(self.recipients) <= MOST_RECIPIENTS:
            raise BadStep(f"a step tells at least one and at most {MOST_RECIPIENTS}")
        for name in self.recipients:
            if name not in GROUPS and not _NUMBERED.fullmatch(name) and not text.is_address(name):
                others = "person: or webhook: and a number, or an address"
                raise BadStep(f"{name!r} is nobody to tell: use {', '.join(GROUPS)}, {others}")
        if self.repeat is not None and not SOONEST <= self.repeat <= LATEST:
            raise BadStep("a step is repeated after one minute at the soonest and seven days at the latest")
        if not 1 <= self.most <= MOST_TIMES:
            raise BadStep(f"a step tells at least once and at most {MOST_TIMES} times")
        if (self.most > 1) != (self.repeat is not None):
            raise BadStep("a step that tells more than once says after how many minutes, and one that tells once doesn't")


def opening(hours: Hours, at: datetime) -> datetime:
    """`at`, or where nothing is open then the next opening."""
    return hours.deadline(at, _LEAST) - _LEAST


def following(told: int, most: int, repeat: timedelta | None, hours: Hours, now: datetime) -> datetime | None:
    """When it is told again after `told` times; None when that was enough."""
    return opening(hours, now + repeat) if repeat is not None and told < most else None
