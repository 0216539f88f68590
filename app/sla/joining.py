"""The resolution of a ticket that others are merged into, where a policy counts it from the oldest of them.

The tickets' rows are locked by the caller; their clocks are locked here, those of the ticket that stays first.
"""

from datetime import datetime

from app.db.session import Session
from app.sla import queries, rows, rules
from app.sla.rebuild import wake
from app.sla.rules import Facts, Merging, Metric


def merged(s: Session, ticket: int, source: int, *, at: datetime, facts: Facts) -> datetime | None:
    """Where the policy says so, the resolution counts from the older of both tickets. Answers from when it counted, if so."""
    plan = queries.plan(s, facts)
    if plan.merging is not Merging.EARLIEST:
        return None
    locked = queries.latest(s, ticket)
    before = {clock.metric: clock for clock in queries.values(s, locked)}
    own = before.get(Metric.RESOLUTION)
    older = next((c for c in queries.values(s, queries.latest(s, source)) if c.metric is Metric.RESOLUTION), None)
    if own is None or older is None or not own.open or older.started_at >= own.started_at:
        return None
    moved = rules.begin_at(own, older.started_at, rules.until(older, own.started_at))
    after = rules.after(before | {Metric.RESOLUTION: moved}, rules.Moment.FACTS_CHANGED, at, plan)
    rows.settle(s, ticket, locked, before, after)
    wake(s)
    return own.started_at


def unmerged(s: Session, ticket: int, *, began: datetime, at: datetime, facts: Facts) -> None:
    """The resolution counts from where it `began` again."""
    locked, plan = queries.latest(s, ticket), queries.plan(s, facts)
    before = {clock.metric: clock for clock in queries.values(s, locked)}
    own = before.get(Metric.RESOLUTION)
    if own is not None and own.open and own.started_at < began:
        moved = {Metric.RESOLUTION: rules.begin_at(own, began)}
        rows.settle(s, ticket, locked, before, rules.after(before | moved, rules.Moment.FACTS_CHANGED, at, plan))
        wake(s)
