"""Clocks of tickets whose messages come together or part: a customer who waits does so from their own message on.

The tickets' rows are locked by the caller; their clocks are locked here, those of the ticket that stays first.
"""

from datetime import datetime

from app.db.session import Session
from app.sla import queries, rows, rules
from app.sla.rebuild import wake
from app.sla.rules import Facts, Merging, Metric


def asked(s: Session, ticket: int, *, since: datetime, at: datetime, facts: Facts) -> None:
    """What somebody asked elsewhere, and waits for since then, is to be answered here."""
    locked, plan = queries.latest(s, ticket), queries.plan(s, facts)
    before = {clock.metric: clock for clock in queries.values(s, locked)}
    if rows.settle(s, ticket, locked, before, rules.asked_before(before, since, at, plan)):
        wake(s)


def left(s: Session, ticket: int, *, since: datetime, at: datetime, facts: Facts) -> None:
    """Some of what was to be answered here is elsewhere now; whoever still waits does `since` then."""
    locked, plan = queries.latest(s, ticket), queries.plan(s, facts)
    before = {clock.metric: clock for clock in queries.values(s, locked)}
    if rows.settle(s, ticket, locked, before, rules.waits_since(before, since, at, plan)):
        wake(s)


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
