"""Reading clocks and promises."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from operator import itemgetter
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Connection, Interval, and_, func, select, tuple_, type_coerce
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from app.core import cursors
from app.core.priority import Priority
from app.db import plain
from app.db.session import Session
from app.hours import queries as hours
from app.hours.models import CalendarVersion
from app.hours.rules import Hours
from app.sla import rows, rules
from app.sla.models import Clock, Happened, Policy, Segment, Step, Target
from app.sla.rules import Facts, Merging, Metric, Moment, Reopening, Start
from app.sla.rules.policies import PRIORITY
from app.sla.rules.thresholds import ordered


class Due(TypedDict):
    """The most urgent open clock of a ticket."""

    due_at: datetime
    breached: bool
    metric: Metric


@dataclass(frozen=True)
class Drift:
    """A clock whose row is not what its segments say: each field that differs, as it is and as it should be."""

    ticket: int
    metric: Metric
    cycle: int
    differing: tuple[tuple[str, str, str], ...]


def clocks(s: Session, ticket: int, *, zone: tzinfo = UTC) -> list[dict[str, Any]]:
    """Every clock of a ticket, ready for JSON, oldest first, with the arithmetic in `zone` line by line."""
    rows = s.scalars(select(Clock).where(Clock.ticket == ticket).order_by(Clock.started_at, Clock.id)).all()
    return [_json(clock, zone) for clock in values(s, rows)]


def page(
    s: Session, ticket: int, *, limit: int, cursor: str | None = None, zone: tzinfo = UTC
) -> tuple[list[dict[str, Any]], str | None]:
    """Some of the same, in the order in which they were made, and the cursor of the next ones."""
    after = cursors.place(cursor, int)[0] if cursor is not None else 0
    query = select(Clock).where(Clock.ticket == ticket, Clock.id > after).order_by(Clock.id).limit(limit + 1)
    rows = s.scalars(query).all()
    following = cursors.cursor(rows[limit - 1].id) if len(rows) > limit else None
    return [_json(clock, zone) for clock in values(s, rows[:limit])], following


def due(c: Connection | Session, tickets: Collection[int]) -> dict[int, Due]:
    """What is due next on each of these tickets; those where nothing is are left out."""
    nearest = (
        select(Clock.ticket, Clock.due_at, Clock.breached_at, Clock.metric)
        .ext(distinct_on(Clock.ticket))
        .where(Clock.ticket.in_(tickets), Clock.outcome.is_(None), Clock.due_at.is_not(None))
        .order_by(Clock.ticket, Clock.due_at)
    )
    found = c.execute(nearest).all() if tickets else []
    return {row.ticket: Due(due_at=row.due_at, breached=row.breached_at is not None, metric=row.metric) for row in found}


def policies(s: Session) -> list[Policy]:
    """All policies in the order they are tried."""
    return list(s.scalars(select(Policy).where(Policy.deleted_at.is_(None)).order_by(Policy.position, Policy.id)))


_PLAIN = ("id", "name", "position", "version", "active", "starts", "match", "reopening", "reopen_window", "merging")
_STEP = ("metric", "threshold", "recipients", "calendar_id", "most")
TERMS = ("seconds", "calendar_id", "pauses", "thresholds")


def told(c: Connection, id: int) -> dict[str, Any]:
    """A policy, ready for JSON, with what it promises now."""
    return _told(c, Policy.id == id)[0]


def listed(c: Connection) -> list[dict[str, Any]]:
    """All policies in the order they are tried, ready for JSON, by one statement."""
    return _told(c, Policy.deleted_at.is_(None))


def _told(c: Connection, which: ColumnElement[bool]) -> list[dict[str, Any]]:
    newest = and_(Target.policy_id == Policy.id, Target.version == Policy.version)
    terms = (getattr(Target, name) for name in ("metric", "priority", *TERMS))
    query = select(*(getattr(Policy, name) for name in _PLAIN), *terms).where(which)
    found: dict[int, dict[str, Any]] = {}
    for row in c.execute(query.outerjoin(Target, newest).order_by(Policy.position, Policy.id)).mappings():
        targets = found.setdefault(row["id"], _without_targets(row))["targets"]
        if row["metric"] is not None:
            targets[row["metric"]][row["priority"]] = {name: row[name] for name in TERMS}
    present = and_(Step.policy_id == Policy.id, Step.version == Policy.version)
    steps = select(Step.policy_id, *(getattr(Step, name) for name in _STEP), Step.repeat).join(Policy, present).where(which)
    for row in c.execute(steps.order_by(Step.policy_id, Step.position)).mappings():
        minutes = row["repeat"] and row["repeat"] // timedelta(minutes=1)
        found[row["policy_id"]]["steps"].append({name: row[name] for name in _STEP} | {"repeat_minutes": minutes})
    return list(found.values())


def _without_targets(row: Mapping[Any, Any]) -> dict[str, Any]:
    policy = {name: row[name] for name in _PLAIN if name != "reopen_window"}
    return policy | {
        "reopen_window": int(row["reopen_window"].total_seconds()),
        "targets": {metric: {} for metric in Metric},
        "steps": [],
    }


def targets(s: Session, policy: Policy) -> Sequence[Target]:
    """What a policy promises now."""
    return s.scalars(select(Target).where(Target.policy_id == policy.id, Target.version == policy.version)).all()


_PROMISED = """
SELECT p.id, p.version, p.starts, p.match, p.reopening, p.reopen_window, p.merging,
    t.metric, t.priority, t.seconds, t.thresholds, t.pauses, v.id, v.hash
FROM sla_policy p
LEFT JOIN sla_target t ON t.policy_id = p.id AND t.version = p.version AND t.priority = ANY(%(priorities)s)
LEFT JOIN LATERAL (
    SELECT id, hash FROM calendar_version WHERE calendar_id = t.calendar_id ORDER BY id DESC LIMIT 1
) v ON true
WHERE p.active ORDER BY p.position, p.id
"""


def plan(s: Session, facts: Facts) -> rules.Plan:
    """What the first policy that fits promises a ticket of which this is true, by all that the calendars say now."""
    return rules.chosen(offers(s, facts[PRIORITY]), facts)


def offers(s: Session, priorities: Iterable[str]) -> list[rules.Offer]:
    """What the active policies promise for these priorities, in the order in which they are tried, by one statement."""
    s.flush()
    wanted = [Priority(each) for each in priorities]
    found = plain.rows(s.connection(), _PROMISED, {"priorities": [str(each) for each in wanted]})
    return [_offer(s, list(group), wanted) for _, group in groupby(found, key=itemgetter(0))]


def _offer(s: Session, rows: list[tuple[Any, ...]], priorities: Sequence[Priority]) -> rules.Offer:
    id, version, starts, match, reopening, window, merging, *_ = rows[0]
    goals: dict[Priority, dict[Metric, rules.Goal]] = {priority: {} for priority in priorities}
    for metric, *promised in (row[7:] for row in rows):
        if metric is not None:
            goals[Priority(promised[0])][Metric(metric)] = _promise(s, id, version, *promised)
    same = {"reopening": Reopening(reopening), "reopen_window": window, "merging": Merging(merging)}
    return rules.Offer(match, {each: rules.Plan(Start(starts), promised, **same) for each, promised in goals.items()})


def _promise(
    s: Session,
    policy: int,
    version: int,
    priority: str,
    seconds: int,
    thresholds: list[str],
    pauses: list[str],
    calendar: int,
    said: bytes,
) -> rules.Goal:
    target = timedelta(seconds=seconds)
    return rules.Goal(
        policy=policy,
        version=version,
        priority=Priority(priority),
        calendar=calendar,
        target=target,
        thresholds=ordered(thresholds, target),
        pauses=frozenset(pauses),
        hours=hours.known(s, calendar, said),
    )


def latest(s: Session, ticket: int) -> Sequence[Clock]:
    """The latest cycle of each metric, locked in one order."""
    other = aliased(Clock)
    newest = select(func.max(other.cycle)).where(other.ticket == ticket, other.metric == Clock.metric).scalar_subquery()
    query = select(Clock).where(Clock.ticket == ticket, Clock.cycle == newest).order_by(Clock.id)
    return s.scalars(query.with_for_update(of=Clock).execution_options(populate_existing=True)).all()


def values(s: Session, rows: Sequence[Clock]) -> list[rules.Clock]:
    """Clocks as the rules know them, with their promises, calendars and segments, in the order of `rows`."""
    if not rows:
        return []
    written = {(row.policy_id, row.policy_version) for row in rows}
    found = s.scalars(select(Target).where(tuple_(Target.policy_id, Target.version).in_(written)))
    promised = {(t.policy_id, t.version, t.metric, t.priority): t for t in found}
    measured = hours.reckoned(s, {row.calendar_version_id for row in rows})
    past = _segments(s, [row.id for row in rows])
    goals = [
        _goal(
            promised[r.policy_id, r.policy_version, r.metric, r.priority], r.calendar_version_id, measured[r.calendar_version_id]
        )
        for r in rows
    ]
    return [_value(row, goal, past.get(row.id, ())) for row, goal in zip(rows, goals, strict=True)]


def lives(s: Session, tickets: Collection[int]) -> dict[int, list[rules.Instant]]:
    """What happened to these tickets and matters to their clocks, in the order in which they heard of it."""
    found: dict[int, list[rules.Instant]] = {}
    columns = (Happened.ticket, Happened.moments, Happened.at, Happened.older)
    for ticket, moments, at, older in s.execute(select(*columns).where(Happened.ticket.in_(tickets)).order_by(Happened.id)):
        instant = rules.Instant(at, tuple(Moment(moment) for moment in moments), rows.unpacked(older))
        found.setdefault(ticket, []).append(instant)
    return found


def drifts(s: Session, *, after: int, limit: int) -> tuple[list[Drift], int | None]:
    """The next open clocks by id, replayed: those that differ from their rows, and the last id seen, None at the end.

    What still waits to be reckoned by a changed calendar is left out: the rules of its time zone may be others now. Whatever
    seems to differ is looked at again under its lock, because a ticket's event may have come between reading the clock and its
    segments.
    """
    chunk = select(Clock).where(Clock.outcome.is_(None), Clock.id > after, ~outdated())
    rows = s.scalars(chunk.order_by(Clock.id).limit(limit)).all()
    suspects = [row.id for row, clock in zip(rows, values(s, rows), strict=True) if rules.replay(clock) != clock]
    held = select(Clock).where(Clock.id.in_(suspects)).with_for_update(skip_locked=True)
    certain = s.scalars(held.execution_options(populate_existing=True)).all() if suspects else ()
    found = [_drift(row.ticket, clock) for row, clock in zip(certain, values(s, certain), strict=True)]
    return [drift for drift in found if drift.differing], rows[-1].id if len(rows) == limit else None


def outdated() -> ColumnElement[bool]:
    """Whether a clock was last reckoned before its calendar said something else."""
    this, newer = aliased(CalendarVersion), aliased(CalendarVersion)
    later = and_(newer.calendar_id == this.calendar_id, newer.id > this.id)
    return select(newer.id).join(this, later).where(this.id == Clock.calendar_version_id).exists()


def seconds_until_next(s: Session) -> float | None:
    """How long until the next clock has to be looked at; negative when that has passed, None when none waits."""
    nearest = type_coerce(func.min(Clock.next_at) - func.now(), Interval)
    wait = s.scalar(select(nearest).where(Clock.next_at.is_not(None)))
    return None if wait is None else wait.total_seconds()


def _segments(s: Session, ids: Iterable[int]) -> dict[int, list[Segment]]:
    found: dict[int, list[Segment]] = {}
    for segment in s.scalars(select(Segment).where(Segment.clock_id.in_(ids)).order_by(Segment.from_at)):
        found.setdefault(segment.clock_id, []).append(segment)
    return found


def _goal(target: Target, calendar: int, its_hours: Hours) -> rules.Goal:
    return rules.Goal(
        policy=target.policy_id,
        version=target.version,
        priority=target.priority,
        calendar=calendar,
        target=timedelta(seconds=target.seconds),
        thresholds=ordered(target.thresholds, timedelta(seconds=target.seconds)),
        pauses=frozenset(target.pauses),
        hours=its_hours,
    )


def _value(row: Clock, goal: rules.Goal, past: Iterable[Segment]) -> rules.Clock:
    return rules.Clock(
        metric=row.metric,
        cycle=row.cycle,
        goal=goal,
        started_at=row.started_at,
        anchor_at=row.anchor_at,
        state=row.state,
        consumed=row.consumed,
        due_at=row.due_at,
        next_at=row.next_at,
        next_threshold=row.next_threshold,
        dealt=tuple(row.dealt),
        fulfilled_at=row.fulfilled_at,
        breached_at=row.breached_at,
        promised_at=row.promised_at,
        outcome=row.outcome,
        segments=tuple(rules.Segment(p.from_at, p.to_at, p.kind) for p in past),
    )


def _drift(ticket: int, clock: rules.Clock) -> Drift:
    right = rules.replay(clock)
    names = ("state", "anchor_at", "consumed", "due_at", "next_at", "next_threshold", "breached_at")
    differing = ((n, str(getattr(clock, n)), str(getattr(right, n))) for n in names if getattr(clock, n) != getattr(right, n))
    return Drift(ticket, clock.metric, clock.cycle, tuple(differing))


def _json(clock: rules.Clock, zone: tzinfo) -> dict[str, Any]:
    instants = ("started_at", "due_at", "fulfilled_at", "breached_at")
    return {
        "metric": clock.metric,
        "cycle": clock.cycle,
        "state": rules.State.STOPPED if clock.away else rules.State.CANCELLED if clock.suspended else clock.state,
        "outcome": clock.outcome,
        "target_seconds": int(clock.goal.target.total_seconds()),
        **{name: at.isoformat() if (at := getattr(clock, name)) else None for name in instants},
        "explanation": rules.explain(clock, zone),
    }
