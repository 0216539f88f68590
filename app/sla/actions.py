"""What changes clocks: what happens to tickets, time, and other promises. Nothing here commits.

Locks are taken in one order: the ticket's row by the caller, then its clocks. A sweep takes clocks alone, and only those
that nobody holds.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Invalid
from app.core.priority import Priority
from app.db import plain
from app.db.session import Session
from app.db.session import now as database_now
from app.hours import actions as hours
from app.hours.models import Calendar
from app.sla import defaults, ladder, queries, rules, timekeeping
from app.sla.models import Clock, Happening, Policy, Segment, Target
from app.sla.queries import seconds_until_next
from app.sla.rules import Dealt, Facts, Kind, Metric, Moment, Start
from app.sla.rules.policies import PRIORITY

__all__ = ["FactsOf", "Fired", "begin", "ensure_defaults", "fire_due", "happened", "seconds_until_next", "set_targets"]

WAKE = "sla_wake"  # the channel that workers listen on
LONGEST = 10 * 365 * defaults.DAY  # seconds
PUT_OFF = timedelta(hours=1)  # for a clock that can't be reckoned, so that it doesn't hold up the others

FactsOf = Callable[[Session, Collection[int]], Mapping[int, Facts]]  # of tickets by number, read without locking them

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


def happened(s: Session, ticket: int, moment: Moment, *, at: datetime, facts: Facts) -> None:
    """Let a ticket's clocks know, in the ticket's own transaction. The caller holds the ticket's row locked.

    What happened earlier is judged by the promises of now, to a ticket of which these `facts` are true now.
    """
    rows = s.scalars(_latest(ticket)).all()
    plan = queries.plan(s, facts)
    if moment is Moment.FACTS_CHANGED and all(_keeps(row, plan) for row in rows):
        return
    before = {clock.metric: clock for clock in queries.values(s, rows)}
    after = rules.after(before, moment, at, plan)
    by_metric = {row.metric: row for row in rows}
    for metric, clock in after.items():
        known = before.get(metric)
        if known is None or clock.cycle != known.cycle:
            _add(s, ticket, clock)
        elif clock != known:
            _write(s, by_metric[metric], clock, known.segments)
    if after != before:
        s.flush()
        _wake(s)


def begin(s: Session, ticket: int, *moments: Moment, at: datetime, facts: Facts) -> None:
    """The same for a ticket that has no clocks yet, with all that happens to it at once."""
    plan = queries.plan(s, facts)
    clocks: dict[rules.Metric, rules.Clock] = {}
    for moment in moments:
        clocks = rules.after(clocks, moment, at, plan)
    if clocks:  # all at one instant: none of them has a finished stretch yet
        fresh = [_first(ticket, clock) | _values(clock) for clock in clocks.values()]
        plain.write(s, Clock, fresh, then="RETURNING id, pg_notify('sla_wake', '')")


def fire_due(s: Session, facts: FactsOf, *, limit: int = 200) -> list[Fired]:
    """Deal with clocks whose next moment has come by the database's time, and answer what there is to tell.

    A clock under an outdated promise is reckoned again before anything may be told of it. `facts` is asked about their tickets
    where some policy depends on more than the priority.
    """
    claim = select(Clock).where(Clock.next_at <= func.now()).order_by(Clock.next_at).limit(limit)
    rows = s.scalars(claim.with_for_update(skip_locked=True).execution_options(populate_existing=True)).all()
    if not rows:
        return []
    now = database_now(s)
    plans = plans_of(s, rows, facts)
    found: list[tuple[Clock, rules.Clock, Dealt]] = []
    for row, known in zip(rows, queries.values(s, rows), strict=True):
        try:
            clock, dealt = rules.fire(rules.retarget(known, plans[row.ticket].goals.get(row.metric), now), now)
        except (ArithmeticError, LookupError, ValueError):
            log.exception("a clock can't be reckoned; put off for an hour", extra={"ticket": row.ticket, "clock": row.id})
            row.next_at = now + PUT_OFF
            continue
        _write(s, row, clock, known.segments)
        found += [(row, clock, _still_worth_telling(s, one)) for one in dealt]
    s.flush()
    fresh = {id: each for id, each in _fresh(s, found, now).items() if each[2].kind is not Kind.SKIPPED}
    ladder.begin(s, fresh)
    return [_tell(s, row, clock, one, now) for row, clock, one in fresh.values()]


def _still_worth_telling(s: Session, one: Dealt) -> Dealt:
    """What was missed is told however late; a warning that nobody was there to see is not."""
    skipped = one.kind is Kind.WARNING and timekeeping.stale(s, one.at)
    return replace(one, kind=Kind.SKIPPED) if skipped else one


def plans_of(s: Session, rows: Iterable[Clock], facts: FactsOf) -> dict[int, rules.Plan]:
    """What is promised now to each of these clocks' tickets. The clocks are locked, so that nobody changes that meanwhile."""
    priorities = {row.ticket: row.priority for row in rows}
    offers = queries.offers(s, Priority)
    asked = rules.asked(offers) - {PRIORITY}
    known = facts(s, priorities) if asked else {}
    return {n: rules.chosen(offers, known.get(n, {PRIORITY: (priority,)})) for n, priority in priorities.items()}


def ensure_defaults(s: Session, *, now: datetime) -> None:
    """A desk without any policy gets the standard one. Whatever was made of it since is left alone."""
    if queries.policies(s):
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


def set_targets(
    s: Session,
    policy: Policy,
    *,
    by: tuple[int, str],
    now: datetime,
    targets: Mapping[str, Mapping[Any, int]],
    starts: str | None = None,
) -> None:
    """Promise something else, in seconds of working time by metric and priority; what isn't named stays. Raises Invalid.

    A new version is written. Clocks that run are looked at by the workers at once and reckoned again from their start.
    """
    wanted = _checked(targets)
    s.refresh(policy, with_for_update=True)
    before = queries.targets(s, policy)
    changed = {t: wanted[t.metric, t.priority] for t in before if wanted.get((t.metric, t.priority), t.seconds) != t.seconds}
    if not changed and starts in {None, policy.starts}:
        return
    policy.version, policy.changed_at = policy.version + 1, now
    policy.starts = Start(starts) if starts else policy.starts
    for old in before:
        same = {name: getattr(old, name) for name in ("policy_id", "metric", "priority", "calendar_id", "pauses", "thresholds")}
        s.add(Target(**same, version=policy.version, seconds=changed.get(old, old.seconds)))
    ladder.copy_steps(s, policy.id, before=policy.version - 1, after=policy.version)
    _look_again(s, policy)
    difference = {f"{t.metric}.{t.priority}": [t.seconds, seconds] for t, seconds in changed.items()}
    facts: dict[str, Any] = {
        "policy": policy.name,
        "version": policy.version,
        "starts": policy.starts.value,
        "seconds": difference,
    }
    audit.record(s, Event.SLA_POLICY_CHANGED, now=now, by=by, **facts)


def _keeps(row: Clock, plan: rules.Plan) -> bool:
    """Whether this is what the clock is promised already, or it is over."""
    goal = plan.goals.get(row.metric)
    if row.outcome is not None:
        return True
    written = (row.policy_id, row.policy_version, row.priority, row.calendar_version_id)
    return goal is not None and written == (goal.policy, goal.version, goal.priority, goal.calendar)


def _latest(ticket: int) -> Select[Clock]:
    """The latest cycle of each metric, locked in one order."""
    other = aliased(Clock)
    newest = select(func.max(other.cycle)).where(other.ticket == ticket, other.metric == Clock.metric).scalar_subquery()
    latest = select(Clock).where(Clock.ticket == ticket, Clock.cycle == newest).order_by(Clock.id)
    return latest.with_for_update(of=Clock).execution_options(populate_existing=True)


def _add(s: Session, ticket: int, clock: rules.Clock) -> None:
    row = _row(ticket, clock)
    s.add(row)
    _keep(s, row, clock.segments)


def _write(s: Session, row: Clock, clock: rules.Clock, known: Sequence[rules.Segment]) -> None:
    _set(row, clock)
    _keep(s, row, clock.segments[len(known) :])


def _row(ticket: int, clock: rules.Clock) -> Clock:
    return Clock(**_first(ticket, clock), **_values(clock))


def _set(row: Clock, clock: rules.Clock) -> None:
    for name, value in _values(clock).items():
        setattr(row, name, value)
    row.epoch += 1


def _first(ticket: int, clock: rules.Clock) -> dict[str, Any]:
    """The columns of a new clock that stay, and its first epoch."""
    return {"ticket": ticket, "metric": clock.metric, "cycle": clock.cycle, "started_at": clock.started_at, "epoch": 1}


def _values(clock: rules.Clock) -> dict[str, Any]:
    """The columns that do, by their names."""
    goal = clock.goal
    return {
        "policy_id": goal.policy,
        "policy_version": goal.version,
        "priority": goal.priority,
        "calendar_version_id": goal.calendar,
        "target_seconds": int(goal.target.total_seconds()),
        "dealt": list(clock.dealt),
        **{name: getattr(clock, name) for name in _AS_THEY_ARE},
    }


_AS_THEY_ARE = (
    "state",
    "outcome",
    "anchor_at",
    "consumed",
    "due_at",
    "next_at",
    "next_threshold",
    "fulfilled_at",
    "breached_at",
)


def _keep(s: Session, row: Clock, finished: Sequence[rules.Segment]) -> None:
    s.add_all(Segment(clock_id=row.id, from_at=each.from_at, to_at=each.to_at, kind=each.kind) for each in finished)


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
            "detail": {"target_seconds": row.target_seconds, "policy_version": row.policy_version},
        }
        for row, _, one in found
    ]
    columns = (Happening.id, Happening.clock_id, Happening.kind, Happening.threshold)
    added = insert(Happening).on_conflict_do_nothing().returning(*columns)
    by_key = {(row.id, one.kind, one.threshold): (row, clock, one) for row, clock, one in found}
    return {new.id: by_key[new.clock_id, new.kind, new.threshold] for new in s.execute(added, rows)}


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


def _checked(targets: Mapping[str, Mapping[Any, int]]) -> dict[tuple[Metric, Priority], int]:
    checked = {}
    for metric, by_priority in targets.items():
        if metric not in list(Metric):
            raise Invalid(f"There is no metric {metric!r}: use one of {', '.join(Metric)}.")
        for priority, seconds in by_priority.items():
            if priority not in list(Priority):
                raise Invalid(f"There is no priority {priority!r}: use one of {', '.join(Priority)}.")
            if not 1 <= seconds <= LONGEST:
                raise Invalid(f"{metric} for {priority}: {seconds} is not a number of seconds from 1 to {LONGEST}.")
            checked[Metric(metric), Priority(priority)] = seconds
    return checked


def _look_again(s: Session, policy: Policy) -> None:
    """Have every waiting clock of this policy visited now. Locked in the order of their ids, as everywhere."""
    waiting = select(Clock.id).where(Clock.policy_id == policy.id, Clock.next_at.is_not(None)).order_by(Clock.id)
    s.execute(update(Clock).where(Clock.id.in_(waiting.with_for_update())).values(next_at=func.now()))
    _wake(s)


def _wake(s: Session) -> None:
    s.execute(select(func.pg_notify(WAKE, "")))
