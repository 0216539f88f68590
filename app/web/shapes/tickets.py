"""Tickets and messages."""

from pydantic import Field

from app.core.priority import Priority
from app.tickets.rules import Status
from app.web.shapes import Address, Shape


class NewTicket(Shape):
    """A new ticket. Staff may open one for somebody else by their address."""

    subject: str = Field(min_length=1, max_length=500)
    body: str = Field(min_length=1, max_length=1_000_000)
    priority: Priority = Priority.MEDIUM
    requester: Address | None = None


class NewMessage(Shape):
    """Something to say. `internal` is a note that no customer sees; `status` is where an answer leaves the ticket."""

    body: str = Field(min_length=1, max_length=1_000_000)
    internal: bool = False
    status: Status | None = None


class Change(Shape):
    """What can be changed on a ticket directly."""

    priority: Priority | None = None


class NewStatus(Shape):
    """Where the ticket goes."""

    status: Status


class Assignment(Shape):
    """Whose it becomes: a person's id, or null for nobody's."""

    assignee_id: int | None = Field(strict=True)
