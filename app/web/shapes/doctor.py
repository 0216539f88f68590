"""The doctor's findings and the queues, as programs read them."""

from datetime import datetime

from app.ops.doctor.findings import Level
from app.web.shapes import Answer


class Found(Answer):
    """One thing: what is so, how bad, why that matters, and the line to paste that mends it."""

    subject: str
    level: Level
    what: str
    why: str | None
    paste: str | None


class Look(Answer):
    """One look at everything: when, by which version, how many seconds it took, and the worst of what was found."""

    at: datetime
    version: str
    seconds: float
    worst: Level
    findings: list[Found]


class Doctor(Answer):
    """The last look since the desk was started, and whether one goes on."""

    running: bool
    last: Look | None


class Asked(Answer):
    """What happens now."""

    words: str


class Queue(Answer):
    """One kind of work: how much waits and since when, how much of it is due and since when, and how much waits for a person.

    `late_by` is for how many seconds the first of what is due has been.
    """

    name: str
    waiting: int
    since: datetime | None
    due: int
    due_since: datetime | None
    held: int
    late_by: float


class Queues(Answer):
    """All of them."""

    queues: list[Queue]
