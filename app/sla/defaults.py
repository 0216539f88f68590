"""What a new desk promises: measured round the clock until somebody says otherwise."""

from app.core.priority import Priority
from app.sla.rules import BREACH, WAITING, Metric
from app.sla.rules.ladder import Rung

CALENDAR = "Round the clock"
POLICY = "Standard"
THRESHOLDS = ["75%"]  # and the breach
PAUSES: dict[Metric, list[str]] = {Metric.RESOLUTION: [WAITING]}

LADDER = [Rung(metric, BREACH, ("managers",)) for metric in Metric]  # once, at any hour

HOUR = 3600
DAY = 24 * HOUR

_RESPONSE = {Priority.LOW: 24 * HOUR, Priority.MEDIUM: 8 * HOUR, Priority.HIGH: 4 * HOUR, Priority.URGENT: HOUR}
_RESOLUTION = {Priority.LOW: 5 * DAY, Priority.MEDIUM: 3 * DAY, Priority.HIGH: DAY, Priority.URGENT: 8 * HOUR}

SECONDS: dict[Metric, dict[Priority, int]] = {
    Metric.FIRST_RESPONSE: _RESPONSE,
    Metric.NEXT_RESPONSE: _RESPONSE,
    Metric.RESOLUTION: _RESOLUTION,
}
