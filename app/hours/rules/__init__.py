"""Working-time arithmetic: how much of it lies between two instants, and when a length of it is used up."""

from app.hours.rules.days import Days, checked, days
from app.hours.rules.openings import NOTHING, Always, Hours, NeverReached, composed, hours
from app.hours.rules.parts import Part
from app.hours.rules.walls import instant
from app.hours.rules.words import MOST_SPANS, MOST_SPECIAL, YEARS, BadHours

__all__ = [
    "MOST_SPANS",
    "MOST_SPECIAL",
    "NOTHING",
    "YEARS",
    "Always",
    "BadHours",
    "Days",
    "Hours",
    "NeverReached",
    "Part",
    "checked",
    "composed",
    "days",
    "hours",
    "instant",
]
