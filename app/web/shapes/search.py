"""Lists of tickets, what a search box proposes, and saved searches."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.core.priority import Priority
from app.tickets.models import Channel
from app.tickets.rules import Status
from app.tickets.search.rules import LONGEST
from app.tickets.search.views import Shared
from app.web.shapes import Answer, Brief, Named, Shape, example


class TicketRow(Answer):
    """A ticket in a list, as customers see it."""

    number: int
    subject: str
    status: Status
    priority: Priority
    channel: Channel
    requester: Brief
    assignee: Brief | None
    organization: Named | None
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    breached: bool


class StaffTicketRow(TicketRow):
    """The same, as the staff sees it."""

    team: Named | None
    tags: list[str]
    snoozed_until: datetime | None
    revision: int


class TicketRows(Answer):
    """A page of tickets; `next` leads to the following one."""

    items: list[StaffTicketRow | TicketRow]
    next: str | None


class Suggestion(Answer):
    """Something the last word of a query may become. `text` is what to put there, `label` what to show."""

    kind: Literal["filter", "value", "person", "team", "organization", "tag", "ticket"]
    text: str
    label: str


class Suggestions(Answer):
    """What the last word may become, the likeliest first."""

    items: list[Suggestion]
    next: str | None


class Count(Answer):
    """How many tickets; `more` where counting stopped there."""

    count: int
    more: bool


class View(Answer):
    """A saved search. `count` is null where its query does not hold any more. `me` in it is whoever looks."""

    id: int
    name: str
    query: str
    sort: str
    shared: Shared
    team: Named | None
    position: int
    created_at: datetime
    revision: int
    changeable: bool
    count: Count | None


class Views(Answer):
    """The saved searches I may see: mine, my teams', everybody's."""

    items: list[View]
    next: str | None


Name = Annotated[str, Field(min_length=1, max_length=100)]
Query = Annotated[str, Field(max_length=LONGEST)]
Sort = Annotated[str, Field(max_length=40)]
Position = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class NewView(Shape):
    """A search to save: for me, for a team (`team_id`), or for all who work here."""

    model_config = Shape.model_config | example(name="My urgent ones", query="status:open assignee:me priority>=high", sort="due")
    name: Name
    query: Query
    sort: Sort | None = None
    shared: Shared = Shared.ME
    team_id: Annotated[int, Field(strict=True, ge=1, lt=2**63)] | None = None
    position: Position = 0


class ViewChange(Shape):
    """What to change of a saved search; what isn't sent stays."""

    model_config = Shape.model_config | example(name="Urgent", query="status:open priority:urgent")
    name: Name = ""
    query: Query = ""
    sort: Sort = ""
    position: Position = 0
