"""What was said on tickets, what happened to them, and their clocks."""

from datetime import datetime
from typing import Literal

from app.intake.rules.authentication import Verdict
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


class Preview(Answer):
    """What a mail within a mail says: fields of its header as the sender wrote them, and how its text begins."""

    sender: str
    to: str
    date: str
    subject: str
    text: str


class File(Answer):
    """A file on a message; its bytes are at /api/v1/attachments/{id}. `size` is in bytes. One that is a mail has a `preview`."""

    id: int
    name: str
    media_type: str
    size: int
    preview: Preview | None


class Fold(Answer):
    """A part of a message's text that pages fold, from the character `begin` up to `end` (counted as Unicode code points)."""

    begin: int
    end: int
    why: Literal["quote", "signature"]


class Invited(Answer):
    """Somebody who is asked to come, and what they answer: accepted, declined, tentative, …"""

    who: str
    answer: str


class Card(Answer):
    """An event of a calendar, as its sender wrote it; `method` is what it was sent for: request, cancel, reply, ….

    `start` and `end` are ISO 8601: a day (the last one included), or a time, which has no offset where `zone` isn't known. The
    message's text says the same in words.
    """

    method: str
    summary: str
    organizer: str
    start: str
    end: str
    zone: str
    repeats: str
    location: str
    answers: list[Invited]


class Sender(Answer):
    """Whether a mail is from the address that it names, and what that rests on. Told to the staff alone."""

    verdict: Verdict
    words: str | None


class Delivery(Answer):
    """What became of one copy of the message: `reason` says why it has not left, or was refused. Told to the staff alone."""

    to: str
    state: State
    reason: str | None
    next_try_at: datetime | None
    at: datetime


class Message(Answer):
    """Something said on a ticket. `ticket` is where it came, which after a merge may be another than the one asked for.

    `sender` is null for what came in no mail, and for customers.
    """

    id: int
    ticket: int
    author: Author
    internal: bool
    auto: bool
    channel: Channel
    text: str
    html: str | None
    folds: list[Fold]
    cards: list[Card]
    created_at: datetime
    attachments: list[File]
    sender: Sender | None
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
