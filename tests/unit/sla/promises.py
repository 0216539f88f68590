"""Promises and instants for the tests of the engine."""

from datetime import UTC, datetime, timedelta

from app.core.priority import Priority
from app.hours.rules import Always, Hours
from app.sla.rules import WAITING, Goal, Metric, Plan, Start
from app.sla.rules.thresholds import ordered

MONDAY = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def goal(
    target: timedelta = 4 * HOUR,
    *,
    pauses: bool = False,
    version: int = 1,
    hours: Hours | None = None,
    thresholds: tuple[str, ...] = ("75%",),
) -> Goal:
    return Goal(
        policy=1,
        version=version,
        priority=Priority.MEDIUM,
        calendar=1,
        target=target,
        thresholds=ordered(thresholds, target),
        pauses=frozenset({WAITING} if pauses else ()),
        hours=hours or Always(),
    )


def plan(
    response: timedelta = 4 * HOUR,
    resolution: timedelta = 8 * HOUR,
    *,
    starts: Start = Start.ACCEPTED,
    version: int = 1,
    hours: Hours | None = None,
) -> Plan:
    answer = goal(response, version=version, hours=hours)
    goals = {
        Metric.FIRST_RESPONSE: answer,
        Metric.NEXT_RESPONSE: answer,
        Metric.RESOLUTION: goal(resolution, pauses=True, version=version, hours=hours),
    }
    return Plan(starts, goals)
