"""Clocks for what happened elsewhere before: reckoned as if they had always been here, and nobody is told of what is past."""

from collections.abc import Iterable
from datetime import datetime

from app.db.session import Session
from app.sla import queries, rows, rules
from app.sla.models import Clock, Happened, Happening
from app.sla.rebuild import wake
from app.sla.rules import Facts, Instant, Kind, Metric

BROUGHT_IN = "brought_in"


def backfill(s: Session, ticket: int, life: Iterable[Instant], *, facts: Facts, now: datetime) -> None:
    """The clocks of a ticket that has none yet, from what happened to it so far, oldest first.

    Thresholds that have passed are dealt with, and told to nobody; those to come are told as ever.
    """
    plan = queries.plan(s, facts)
    present: dict[Metric, rules.Clock] = {}
    ever: dict[tuple[Metric, int], rules.Clock] = {}
    for instant in life:
        s.add(Happened(ticket=ticket, moments=list(instant.moments), at=instant.at))
        present = rules.together(present, instant.moments, instant.at, plan)
        ever |= {(clock.metric, clock.cycle): clock for clock in present.values()}
    for clock in ever.values():
        fired, dealt = rules.fire(clock, now)
        row = rows.add(s, ticket, fired)
        for one in dealt:
            s.add(_passed(row, one, now))
    s.flush()
    wake(s)


def _passed(row: Clock, one: rules.Dealt, now: datetime) -> Happening:
    kind = Kind.BREACH if one.kind is Kind.BREACH else Kind.SKIPPED
    detail = {"target_seconds": row.target_seconds, "policy_version": row.policy_version, "reason": BROUGHT_IN}
    happening = Happening(clock_id=row.id, cycle=row.cycle, kind=kind, threshold=one.threshold, rearm=0, detail=detail)
    happening.at, happening.detected_at = one.at, now
    return happening
