"""What programs send. Fields we don't know are refused."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.core.priority import Priority
from app.core.text import is_address
from app.sla.rules import Start
from app.tickets.rules import Status


class Shape(BaseModel):
    """The root of all of them."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


def _address(raw: str) -> str:
    if not is_address(raw):
        raise ValueError("that is not an e-mail address; write it like name@example.com")
    return raw


class NewTicket(Shape):
    """A new ticket. Staff may open one for somebody else by their address."""

    subject: str = Field(min_length=1, max_length=500)
    body: str = Field(min_length=1, max_length=1_000_000)
    priority: Priority = Priority.MEDIUM
    requester: Annotated[str, AfterValidator(_address)] | None = None


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


class PolicyChange(Shape):
    """Targets in seconds by metric and priority; what is left out stays."""

    targets: dict[str, dict[Priority, int]] = Field(default_factory=dict)
    starts: Start | None = None
