"""The life of a ticket: which status may follow which, and what a customer's answer does."""

from datetime import datetime, timedelta
from enum import StrEnum

REOPEN_WINDOW = timedelta(days=14)
MOST_REOPENED = 5  # times within this:
REOPENED_WITHIN = timedelta(hours=1)


class Status(StrEnum):
    """Where a ticket stands."""

    NEW = "new"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    WAITING_CUSTOMER = "waiting_customer"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class WatcherKind(StrEnum):
    """How somebody follows a ticket."""

    CC = "cc"
    AGENT = "agent"


class LinkKind(StrEnum):
    """How one ticket stands to another, read from the first to the second."""

    PARENT = "parent"
    DUPLICATE = "duplicate"
    RELATED = "related"
    BLOCKS = "blocks"


class FieldKind(StrEnum):
    """What a custom field holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    CHECKBOX = "checkbox"


class Required(StrEnum):
    """Where a ticket needs a value in a field: nowhere, to be accepted, or to be resolved."""

    NEVER = "never"
    TO_ACCEPT = "to_accept"
    TO_RESOLVE = "to_resolve"


OPEN = frozenset({Status.NEW, Status.ACCEPTED, Status.IN_PROGRESS, Status.WAITING_CUSTOMER})
DONE = frozenset({Status.RESOLVED, Status.CLOSED, Status.CANCELLED})

_NEXT: dict[Status, tuple[Status, ...]] = {
    Status.NEW: (Status.ACCEPTED, Status.CANCELLED),
    Status.ACCEPTED: (Status.IN_PROGRESS, Status.WAITING_CUSTOMER, Status.RESOLVED, Status.CANCELLED),
    Status.IN_PROGRESS: (Status.WAITING_CUSTOMER, Status.RESOLVED, Status.CANCELLED),
    Status.WAITING_CUSTOMER: (Status.IN_PROGRESS, Status.RESOLVED, Status.CANCELLED),
    Status.RESOLVED: (Status.CLOSED, Status.IN_PROGRESS),
    Status.CLOSED: (Status.IN_PROGRESS,),
    Status.CANCELLED: (),
}


class CustomerAnswer(StrEnum):
    """What becomes of a ticket when its customer writes again."""

    NOTHING = "nothing"
    RESUME = "resume"
    REOPEN = "reopen"
    FOLLOW_UP = "follow_up"


def allowed(status: Status) -> tuple[Status, ...]:
    """What a person may make of a ticket in `status`. Reopening is the customer's, by answering."""
    return () if status is Status.CLOSED else tuple(n for n in _NEXT[status] if not _reopens(status, n))


def may_change(status: Status, to: Status) -> bool:
    """Whether the life of a ticket knows this step at all, by whomever."""
    return to in _NEXT[status]


def after_customer_answer(status: Status, *, closed_at: datetime | None, now: datetime) -> CustomerAnswer:
    """A customer's answer resumes what waited for it and reopens what was done; long after the end it is a new matter."""
    if status is Status.CANCELLED:
        return CustomerAnswer.FOLLOW_UP
    if status is Status.CLOSED and closed_at and now - closed_at > REOPEN_WINDOW:
        return CustomerAnswer.FOLLOW_UP
    if status in {Status.RESOLVED, Status.CLOSED}:
        return CustomerAnswer.REOPEN
    return CustomerAnswer.RESUME if status is Status.WAITING_CUSTOMER else CustomerAnswer.NOTHING


def _reopens(status: Status, to: Status) -> bool:
    return status in {Status.RESOLVED, Status.CLOSED} and to is Status.IN_PROGRESS
