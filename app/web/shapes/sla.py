"""Service levels."""

from datetime import datetime
from typing import Literal

from app.outbox.models import DeliveryState, State
from app.sla.rules import Kind, Metric
from app.web.shapes import Answer


class Notice(Answer):
    """One letter of a step, or what a webhook was told (`to` is "webhook:3"): `sent_at` is when it was put in the outbox,
    `delivered_at` when the mail server took it (250), or the webhook's receiver (2xx).

    `because` says why it went to them, where the step names others; `reason` why it has not left, or did not arrive.
    """

    round: int
    to: str
    because: str | None
    sent_at: datetime
    delivered_at: datetime | None
    state: State | DeliveryState | None
    reason: str | None


class Escalation(Answer):
    """A step of the ladder that was taken: `planned_at` is when the deadline fell, `detected_at` when that was noticed."""

    id: int
    metric: Metric
    cycle: int
    threshold: str
    kind: Kind
    to: list[str]
    state: Literal["waiting", "acknowledged", "over", "told"]
    planned_at: datetime
    detected_at: datetime
    next_at: datetime | None
    times: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    notices: list[Notice]


class Escalations(Answer):
    """Who was told of a ticket's deadlines, oldest first."""

    items: list[Escalation]
    next: str | None


class Acknowledgement(Answer):
    """How many steps told on until now; 0 where there was nothing to acknowledge."""

    steps: int


class Bucket(Answer):
    """How many were noticed within so many milliseconds of their time; each bucket holds those before it, too."""

    at_most_ms: int
    count: int


class Lateness(Answer):
    """How late deadlines and warnings were noticed in some time, in milliseconds.

    What lay in the past already when it was promised (a shorter promise for a ticket that is old) counts from when it fell.
    """

    since: datetime
    until: datetime
    count: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    buckets: list[Bucket]
