"""Tickets and messages."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BeforeValidator, Field, StrictInt, model_validator

from app.core.priority import Priority
from app.tickets import tags
from app.tickets.models import Channel
from app.tickets.rules import Status
from app.web.shapes import Address, Answer, Brief, Named, Shape, example

Subject = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(min_length=1, max_length=1_000_000)]
Id = Annotated[StrictInt, Field(ge=1, lt=2**63)]
Tags = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=tags.MOST)]
Fields = Annotated[dict[str, Any], Field(max_length=200)]


def _written(raw: Any) -> Any:
    if raw is not None and not isinstance(raw, str):
        raise ValueError("a time is written like 2026-11-24T09:00:00Z")
    return raw


Time = Annotated[AwareDatetime, BeforeValidator(_written)]


class NewTicket(Shape):
    """A new ticket. Staff may open one for somebody else by their address, and say whose it is and what it carries."""

    model_config = Shape.model_config | example(subject="The printer smokes", body="Since this morning. It is on floor 3.")
    subject: Subject
    body: Text
    priority: Priority = Priority.MEDIUM
    requester: Address | None = None
    team_id: Id | None = None
    assignee_id: Id | None = None
    tags: Tags = Field(default_factory=list)
    fields: Fields = Field(default_factory=dict)

    @property
    def carries(self) -> dict[str, Any]:
        """What only staff may say of a new ticket, as a change of it."""
        said = {"team_id": self.team_id, "assignee_id": self.assignee_id, "add_tags": self.tags, "fields": self.fields}
        return {name: value for name, value in said.items() if value}


class NewMessage(Shape):
    """Something to say. `internal` is a note that no customer sees; `status` is where an answer leaves the ticket.

    With `send_at` an agent's answer is planned: it is said then, and until then only the staff knows of it.
    """

    model_config = Shape.model_config | example(body="Is there paper in it?", status="waiting_customer")
    body: Text
    internal: bool = False
    status: Status | None = None
    send_at: Time | None = None


class Change(Shape):
    """What to change; whatever isn't sent stays. null takes away: no team, nobody's, awake, an empty field.

    Everything is done, or nothing. Fields are filled in before the status changes, which may need them.
    """

    model_config = Shape.model_config | example(priority="high", add_tags=["printer"])
    subject: Subject = Field(default_factory=str)
    status: Status = Field(default_factory=lambda: Status.NEW)
    priority: Priority = Field(default_factory=lambda: Priority.MEDIUM)
    team_id: Id | None = Field(default_factory=lambda: None)
    assignee_id: Id | None = Field(default_factory=lambda: None)
    add_tags: Tags = Field(default_factory=list)
    remove_tags: Tags = Field(default_factory=list)
    fields: Fields = Field(default_factory=dict)
    snoozed_until: Time | None = Field(default_factory=lambda: None)

    @property
    def said(self) -> dict[str, Any]:
        """Only what was sent."""
        return self.model_dump(exclude_unset=True)


class NewStatus(Shape):
    """Where the ticket goes."""

    model_config = Shape.model_config | example(status="in_progress")
    status: Status


class Assignment(Shape):
    """Whose it becomes: a person's id, or null for nobody's. With `team_id` it goes to that team, or with null to none."""

    model_config = Shape.model_config | example(assignee_id=None)
    assignee_id: Id | None = Field(default_factory=lambda: None)
    team_id: Id | None = Field(default_factory=lambda: None)

    @property
    def said(self) -> dict[str, Any]:
        """Only what was sent."""
        return self.model_dump(exclude_unset=True)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("say assignee_id, team_id or both")
        return self


class Discard(Shape):
    """Why it goes in the trash."""

    model_config = Shape.model_config | example(reason="Advertising")
    reason: str = Field(min_length=1, max_length=500)


class Snooze(Shape):
    """Until when it sleeps: a time that is ahead, at most a year."""

    model_config = Shape.model_config | example(until="2027-01-04T08:00:00Z")
    until: Time


class FollowUp(Shape):
    """The first message of the new ticket, and its subject where it isn't the same."""

    model_config = Shape.model_config | example(body="The spare part came. Shall we meet on Tuesday?")
    body: Text
    subject: Subject | None = None


class Trashed(Answer):
    """When a ticket was put in the trash, by whom and why."""

    at: datetime
    by: str | None
    reason: str


class Ticket(Answer):
    """A ticket. For customers `tags` is empty, `fields` has only what is shown to them, and `revision` is null."""

    number: int
    subject: str
    status: Status
    priority: Priority
    channel: Channel
    requester: Brief
    assignee: Brief | None
    organization: Named | None
    team: Named | None
    tags: list[str]
    fields: dict[str, Any]
    follows: int | None
    merged_into: int | None
    snoozed_until: datetime | None
    trashed: Trashed | None
    revision: int | None
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None
    first_replied_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    allowed: list[Status]
