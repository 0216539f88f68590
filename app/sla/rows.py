"""Clocks on their way into their rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete

from app.db.session import Session
from app.sla import rules
from app.sla.models import Clock, Segment
from app.sla.rules import Metric

Clocks = Mapping[Metric, rules.Clock]


def packed(stretches: Sequence[rules.Segment]) -> list[Any] | None:
    """Stretches as JSON; None for none."""
    return [[each.from_at.isoformat(), each.to_at.isoformat(), each.kind] for each in stretches] or None


def unpacked(stored: Sequence[Sequence[str]] | None) -> tuple[rules.Segment, ...]:
    """Stretches from JSON."""
    read = datetime.fromisoformat
    return tuple(rules.Segment(read(since), read(until), rules.Stretch(kind)) for since, until, kind in stored or ())


def settle(s: Session, ticket: int, locked: Sequence[Clock], before: Clocks, after: Clocks) -> bool:
    """What became of a ticket's clocks, of which these rows are locked; whether anything did."""
    by_metric = {row.metric: row for row in locked}
    for metric, clock in after.items():
        known = before.get(metric)
        if known is not None and clock.previous is not None and clock.previous != known:
            write(s, by_metric[metric], clock.previous, known.segments)
        if known is None or clock.cycle != known.cycle:
            add(s, ticket, clock)
        elif clock != known:
            write(s, by_metric[metric], clock, known.segments)
    s.flush()
    return after != before


def add(s: Session, ticket: int, clock: rules.Clock) -> Clock:
    """A clock that has no row yet."""
    row = Clock(**first(ticket, clock), **values(clock))
    s.add(row)
    s.flush()
    _keep(s, row, clock.segments)
    return row


def write(s: Session, row: Clock, clock: rules.Clock, known: Sequence[rules.Segment]) -> None:
    """What became of a clock, where its `known` segments are written down already."""
    for name, value in values(clock).items():
        setattr(row, name, value)
    row.epoch += 1
    if clock.started_at != row.started_at:
        row.started_at = clock.started_at
        s.execute(delete(Segment).where(Segment.clock_id == row.id))
        known = ()
    _keep(s, row, clock.segments[len(known) :])


def first(ticket: int, clock: rules.Clock) -> dict[str, Any]:
    """The columns of a new clock that stay, and its first epoch."""
    return {"ticket": ticket, "metric": clock.metric, "cycle": clock.cycle, "started_at": clock.started_at, "epoch": 1}


def values(clock: rules.Clock) -> dict[str, Any]:
    """The columns that don't, by their names."""
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
    "promised_at",
)


def _keep(s: Session, row: Clock, finished: Sequence[rules.Segment]) -> None:
    s.add_all(Segment(clock_id=row.id, from_at=each.from_at, to_at=each.to_at, kind=each.kind) for each in finished)
