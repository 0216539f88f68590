"""What was said on tickets, what happened to them, and their clocks."""

from datetime import datetime

from app.outbox.models import State
from app.sla.rules import Metric, Outcome
from app.sla.rules import State as ClockState
from app.tickets.models import Channel
from app.tickets.rules import Status
from app.web.shapes import Answer, TimelineEntry
from app.web.shapes.tickets import Ticket


class Author(Answer):
    """Who said it. `staff`: in the desk's name."""

    id: int
    name: str
    email: str
    staff: bool


class File(Answer):
    """A file on a message; its bytes are at /api/v1/attachments/{id}. `size` is in bytes."""

    id: int
    name: str
    media_type: str
    size: int


class Delivery(Answer):
    """What became of one copy of the message: `reason` says why it has not left, or was refused. Told to the staff alone."""

    to: str
    state: State
    reason: str | None
    next_try_at: datetime | None
    at: datetime


class Message(Answer):
    """Something said on a ticket. `ticket` is where it came, which after a merge may be another than the one asked for."""

    id: int
    ticket: int
    author: Author
    internal: bool
    auto: bool
    channel: Channel
    text: str
    html: str | None
    created_at: datetime
    attachments: list[File]
    deliveries: list[Delivery]


class SaidMessage(Message):
    """A message just said. `not_notified` are the mentions in a note that reach nobody."""

    not_notified: list[str]


class PlannedAuthor(Answer):
    """Who wrote it."""

    id: int
    name: str
    email: str


class PlannedFile(Answer):
    """A file that goes with it. `size` is in bytes."""

    name: str
    media_type: str
    size: int


class Planned(Answer):
    """An answer that is not said yet. `status` is where it will leave the ticket. Where it could not go out when it was due,
    `problem` says why, and `send_at` is null: it waits for somebody.
    """

    id: int
    ticket: int
    author: PlannedAuthor
    text: str
    files: list[PlannedFile]
    status: Status | None
    send_at: datetime | None
    problem: str | None
    created_at: datetime


class PlannedAnswers(Answer):
    """Answers that are not said yet, in the order in which they were written."""

    items: list[Planned]
    next: str | None


class Messages(Answer):
    """Messages, oldest first."""

    items: list[Message]
    next: str | None


class TicketWithMessages(Ticket):
    """A ticket, with the beginning of what was said where `expand=messages` asks for it."""

    messages: Messages | None = None


class Timeline(Answer):
    """What happened to a ticket, oldest first."""

    items: list[TimelineEntry]
    next: str | None


class Clock(Answer):
    """A promise, and the arithmetic that led to when it is due, line by line. `target_seconds` is working time."""

    metric: Metric
    cycle: int
    state: ClockState
    outcome: Outcome | None
    target_seconds: int
    started_at: datetime
    due_at: datetime | None
    fulfilled_at: datetime | None
    breached_at: datetime | None
    explanation: list[str]


class Clocks(Answer):
    """A ticket's clocks, oldest first."""

    items: list[Clock]
    next: str | None
