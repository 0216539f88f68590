"""What service levels mean: (policy, calendar, timeline, now) -> clocks, without asking anybody."""

from app.sla.rules.clock import REOPEN_WINDOW, Clock, Dealt, Goal, Segment, begin_at, fire, replay, retarget, until
from app.sla.rules.explanation import explain
from app.sla.rules.policies import Facts, Offer, asked, chosen, fits
from app.sla.rules.preview import Instant
from app.sla.rules.thresholds import BREACH
from app.sla.rules.timeline import NO_PLAN, WAITING, Plan, after, together
from app.sla.rules.words import Ending, Kind, Merging, Metric, Moment, Outcome, Reopening, Start, State, Stretch

__all__ = [
    "BREACH",
    "NO_PLAN",
    "REOPEN_WINDOW",
    "WAITING",
    "Clock",
    "Dealt",
    "Ending",
    "Facts",
    "Goal",
    "Instant",
    "Kind",
    "Merging",
    "Metric",
    "Moment",
    "Offer",
    "Outcome",
    "Plan",
    "Reopening",
    "Segment",
    "Start",
    "State",
    "Stretch",
    "after",
    "asked",
    "begin_at",
    "chosen",
    "explain",
    "fire",
    "fits",
    "replay",
    "retarget",
    "together",
    "until",
]
