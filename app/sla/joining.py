"""The resolution of a ticket that others are merged into, which a policy may count from the oldest of them.

The tickets' rows are locked by the caller; the clocks of the ticket that stays are locked first, then those of the other.
"""

from datetime import datetime

from app.db.session import Session
from app.sla import actions, queries, rules
from app.sla.rules import Facts, Metric, Moment


def merged(s: Session, ticket: int, source: int, *, at: datetime, facts: Facts) -> datetime | None:
    """Another ticket became part of this one. Answers from when its resolution counts by itself, if the other's may matter."""
    own, older = (_resolution(s, number) for number in (ticket, source))
    if own is None or older is None or not own.open or older.started_at >= own.started_at:
        return None
    actions.happened(s, ticket, Moment.JOINED, at=at, facts=facts, older=rules.until(older, at))
    return own.started_at


def unmerged(s: Session, ticket: int, source: int, *, began: datetime, facts: Facts) -> None:
    """The other is a ticket of its own again: what counted from it counts from where it `began`."""
    if (older := _resolution(s, source)) is not None:
        actions.happened(s, ticket, Moment.PARTED, at=began, facts=facts, older=rules.until(older, began))


def _resolution(s: Session, ticket: int) -> rules.Clock | None:
    found = queries.values(s, queries.latest(s, ticket))
    return next((clock for clock in found if clock.metric is Metric.RESOLUTION), None)
