"""What changes clocks: what happens to tickets, time, and other promises. Nothing here commits.

Locks are taken in one order: the ticket's row by the caller, then its clocks. A sweep takes clocks alone, and only those
that nobody holds.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.audit import actions as audit
from app.audit.models import Event
from app.db import plain
from app.db.session import Session
from app.db.session import now as database_now
from app.hours import actions as hours
from app.hours.models import Calendar
from app.sla import defaults, ladder, queries, rows, rules, timekeeping
from app.sla.models import Clock, Happened, Happening, Policy, Target
from app.sla.plans import FactsOf, plans_of
from app.sla.queries import seconds_until_next
from app.sla.rebuild import WAKE, wake
from app.sla.rules import Dealt, Facts, Kind, Metric, Moment, Outcome, Start, State

__all__ = ["WAKE", "FactsOf", "Fired", "begin", "ensure_defaults", "fire_due", "happened", "seconds_until_next"]

POLICY_CHANGE = "policy_change"
PUT_OFF = timedelta(hours=1)  # for a clock that can't be reckoned, so that it doesn't hold up the others

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fired:
    """A threshold that was told: it fell on `at` and was noticed at `detected_at`."""

    clock_id: int
    rearm: int
    ticket: int
    metric: Metric
    kind: Kind
    threshold: str
    due_at: datetime
    at: datetime
    detected_at: datetime
    explanation: list[str]


def happened(s: Session, ticket: int, *moments: Moment, at: datetime, facts: Facts, older: Sequence[rules.Segment] = ()) -> None:
    """Let a ticket's clocks know, in the ticket's own transaction, all that happens at one instant. The ticket's row is locked.

    What happened earlier is judged by the promises of now, to a ticket of which these `facts` are true now.
    """
    if set(moments) != {Moment.FACTS_CHANGED}:
        s.add(Happened(ticket=ticket, moments=list(moments), at=at, older=rows.packed(older)))
    locked = queries.latest(s, ticket)
    plan = queries.plan(s, facts)
    if set(moments) == {Moment.FACTS_CHANGED} and all(_keeps(row, plan) for row in locked):
        return
    before = {clock.metric: clock for clock in queries.values(s, locked)}
    if rows.settle(s, ticket, locked, before, rules.together(before, moments, at, plan, older)):
        wake(s)


def begin(s: Session, ticket: int, *moments: Moment, at: datetime, facts: Facts) -> None:
    """The same for a ticket that has no clocks yet, with all that happens to it at once."""
    plain.write(s, Happened, [{"ticket": ticket, "moments": list(moments), "at": at}], then="RETURNING id")
    plan = queries.plan(s, facts)
    clocks = rules.together({}, moments, at, plan)
    if clocks:  # all at one instant: none of them has a finished stretch yet
        fresh = [rows.first(ticket, clock) | rows.values(clock) for clock in clocks.values()]
        plain.write(s, Clock, fresh, then="RETURNING id, pg_notify('sla_wake', '')")


def fire_due(s: Session, facts: FactsOf, *, limit: int = 200) -> list[Fired]:
    """Deal with clocks whose next moment has come by the database's time, and answer what there is to tell.

    A clock under an outdated promise is reckoned again before anything may be told of it. `facts` is asked about their tickets
    where some policy depends on more than the priority.
    """
    claim = select(Clock).where(Clock.next_at <= func.now()).order_by(Clock.next_at).limit(limit)
    claimed = s.scalars(claim.with_for_update(skip_locked=True).execution_options(populate_existing=True)).all()
    if not claimed:
        return []
    now = database_now(s)
    plans = plans_of(s, claimed, facts)
    found: list[tuple[Clock, rules.Clock, Dealt]] = []
    for row, known in zip(claimed, queries.values(s, claimed), strict=True):
        try:
            clock, dealt = rules.fire(rules.retarget(known, plans[row.ticket].goals.get(row.metric), now), now)
        except (ArithmeticError, LookupError, ValueError):
            log.exception("a clock can't be reckoned; put off for an hour", extra={"ticket": row.ticket, "clock": row.id})
            row.next_at = now + PUT_OFF
            continue
        rows.write(s, row, clock, known.segments)
        found += [(row, clock, _still_worth_telling(s, one)) for one in dealt]
    s.flush()
    fresh = {id: each for id, each in _fresh(s, found, now).items() if each[2].kind is not Kind.SKIPPED}
    ladder.begin(s, fresh)
    return [_tell(s, row, clock, one, now) for row, clock, one in fresh.values()]


def _still_worth_telling(s: Session, one: Dealt) -> Dealt:
    """What was missed is told however late; a warning that nobody was there to see is not."""
    skipped = one.kind is Kind.WARNING and timekeeping.stale(s, one.at)
    return replace(one, kind=Kind.SKIPPED) if skipped else one


def ensure_defaults(s: Session, *, now: datetime) -> None:
    """A desk without any policy gets the standard one. Whatever was made of it since is left alone."""
    if s.scalar(select(Policy.id).limit(1)) is not None:
        return
    week = hours.ROUND_THE_CLOCK
    calendar = s.scalar(select(Calendar).where(Calendar.name == defaults.CALENDAR))
    calendar = calendar or hours.add(s, defaults.CALENDAR, zone="UTC", week=week, now=now)
    policy = Policy(name=defaults.POLICY, position=1, match={}, starts=Start.ACCEPTED, version=1, active=True, changed_at=now)
    s.add(policy)
    s.flush()
    for metric, by_priority in defaults.SECONDS.items():
        for priority, seconds in by_priority.items():
            target = Target(policy_id=policy.id, version=1, metric=metric, priority=priority, seconds=seconds)
            target.calendar_id, target.thresholds = calendar.id, defaults.THRESHOLDS
            target.pauses = defaults.PAUSES.get(metric, [])
            s.add(target)
    ladder.set_steps(s, policy.id, 1, defaults.LADDER)


def _keeps(row: Clock, plan: rules.Plan) -> bool:
    """Whether this is what the clock is promised already, or it is over, or promised nothing as before."""
    goal = plan.goals.get(row.metric)
    if row.outcome is not None:
        return goal is None or row.outcome is not Outcome.NO_POLICY or row.state is State.CANCELLED
    written = (row.policy_id, row.policy_version, row.priority, row.calendar_version_id)
    return goal is not None and written == (goal.policy, goal.version, goal.priority, goal.calendar)


def _fresh(
    s: Session, found: list[tuple[Clock, rules.Clock, Dealt]], now: datetime
) -> dict[int, tuple[Clock, rules.Clock, Dealt]]:
    """Those that nobody has dealt with before, by the number of their event; remembered, so that nobody will again."""
    if not found:
        return {}
    rows = [
        {
            "clock_id": row.id,
            "cycle": row.cycle,
            "kind": one.kind,
            "threshold": one.threshold,
            "rearm": 0,
            "at": one.at,
            "detected_at": now,
            "detail": {"target_seconds": row.target_seconds, "policy_version": row.policy_version} | _because(clock, one),
        }
        for row, clock, one in found
    ]
    columns = (Happening.id, Happening.clock_id, Happening.kind, Happening.threshold)
    added = insert(Happening).on_conflict_do_nothing().returning(*columns)
    by_key = {(row.id, one.kind, one.threshold): (row, clock, one) for row, clock, one in found}
    return {new.id: by_key[new.clock_id, new.kind, new.threshold] for new in s.execute(added, rows)}


def _because(clock: rules.Clock, one: Dealt) -> dict[str, str]:
    """Why it is noticed only now, where it fell before it was promised."""
    return {"reason": POLICY_CHANGE} if clock.promised_at and one.at < clock.promised_at else {}


def _tell(s: Session, row: Clock, clock: rules.Clock, one: Dealt, now: datetime) -> Fired:
    due_at = clock.due_at or one.at
    event = Event.SLA_BREACHED if one.kind is Kind.BREACH else Event.SLA_WARNED
    facts: dict[str, Any] = {
        "metric": row.metric.value,
        "cycle": row.cycle,
        "threshold": one.threshold,
        "due_at": due_at.isoformat(),
    }
    audit.record(s, event, now=now, ticket=row.ticket, **facts)
    return Fired(
        clock_id=row.id,
        rearm=0,
        ticket=row.ticket,
        metric=row.metric,
        kind=one.kind,
        threshold=one.threshold,
        due_at=due_at,
        at=one.at,
        detected_at=now,
        explanation=rules.explain(clock, UTC),
    )
