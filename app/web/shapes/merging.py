"""Merging, splitting and moving; changing many tickets at once."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from app.tickets.bulk import MOST
from app.web.shapes import Answer, Brief, Shape, example
from app.web.shapes.tickets import Change, Discard, Id, Subject


class MergeInto(Shape):
    """The ticket that this one becomes part of: one of the same customer that is part of no other itself.

    Its requester reads this one from then on; where that is somebody else, say with `reveal` that it is meant.
    """

    model_config = Shape.model_config | example(into=2)
    into: Id
    reveal: bool = False


class Split(Shape):
    """What the new ticket is about, where it isn't the same."""

    model_config = Shape.model_config | example(subject="The other printer")
    subject: Subject | None = None


class MoveTo(Shape):
    """The ticket that the message goes to: one of the same customer. `reveal`: another requester is meant to read it."""

    model_config = Shape.model_config | example(to=2)
    to: Id
    reveal: bool = False


class Moved(Answer):
    """Where a message was, and where it is."""

    message: int
    moved_from: int
    moved_to: int


class BulkChange(Shape):
    """What to do to each of these tickets: either `change` them, or put them in the `trash`."""

    model_config = Shape.model_config | example(tickets=[1, 2], change={"priority": "high", "add_tags": ["outage"]})
    tickets: Annotated[list[Id], Field(min_length=1, max_length=MOST)]
    change: Change | None = None
    trash: Discard | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.change is None) == (self.trash is None):
            raise ValueError("say either change or trash")
        if self.change is not None and not self.change.said:
            raise ValueError("change says nothing to change")
        return self


class Outcome(StrEnum):
    """What became of a ticket; `kept` is one that reverting left alone."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    REVERTED = "reverted"
    KEPT = "kept"


class BulkTicket(Answer):
    """One of the tickets, and the reason where nothing was done to it."""

    number: int
    outcome: Outcome
    reason: str | None


class Bulk(Answer):
    """A change of many tickets, and what became of each. One of `change` and `trash` is null."""

    id: int
    change: dict[str, Any] | None
    trash: dict[str, Any] | None
    made_at: datetime
    made_by: Brief
    reverted_at: datetime | None
    reverted_by: Brief | None
    tickets: list[BulkTicket]
