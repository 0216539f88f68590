"""What service levels mean: (policy, calendar, timeline, now) -> clocks, without asking anybody."""

from app.sla.rules.clock import BREACH, Clock, Dealt, Goal, Segment, fire, replay, retarget
from app.sla.rules.explanation import explain
from app.sla.rules.timeline import NO_PLAN, WAITING, Plan, after, fits
from app.sla.rules.words import Kind, Metric, Moment, Outcome, Start, State, Stretch

__all__ = [
    "BREACH",
    "NO_PLAN",
    "WAITING",
    "Clock",
    "Dealt",
    "Goal",
    "Kind",
    "Metric",
    "Moment",
    "Outcome",
    "Plan",
    "Segment",
    "Start",
    "State",
    "Stretch",
    "after",
    "explain",
    "fire",
    "fits",
    "replay",
    "retarget",
]
