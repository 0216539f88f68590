"""Promises that are tried before they are saved."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.sla.rules import Metric
from app.sla.rules.preview import Verdict
from app.web.shapes import Answer, Shape, example
from app.web.shapes.calendars import Closed, Instead, Week, Zone
from app.web.shapes.policies import Key, PolicyChange

MOST_DAYS = 366


class PolicyDraft(PolicyChange):
    """A policy as it would be: one that there is, by its `id`, or a new one, by its name."""

    id: Key | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.id is None and self.name is None:
            raise ValueError("give the id of a policy, or the name of a new one")
        return self


class CalendarDraft(Shape):
    """What another calendar would say, as if it always had; what is left out stays."""

    id: Key
    zone: Zone | None = None
    week: Week | None = None
    closed: Closed | None = None
    instead: Instead | None = None


class Draft(Shape):
    """What to try, on the tickets of the last `days` and on all open ones."""

    model_config = Shape.model_config | example(
        days=30, policies=[{"id": 1, "targets": {"first_response": {"urgent": 1800}}}], calendars=[]
    )
    days: Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)] = 30
    policies: list[PolicyDraft] = Field(default_factory=list, max_length=20)
    calendars: list[CalendarDraft] = Field(default_factory=list, max_length=20)


class Standing(Answer):
    """How a promise stands, and when it was or is due."""

    verdict: Verdict
    due_at: datetime | None


class Difference(Answer):
    """A promise that would stand differently; null where there is none."""

    metric: Metric
    cycle: int
    today: Standing | None
    then: Standing | None


class Ticketed(Answer):
    """A ticket whose promises would stand differently."""

    number: int
    subject: str
    differences: list[Difference]


class Preview(Answer):
    """How many promises stand how, today and then, and the newest tickets that differ. Nothing was changed.

    `left_out`: so many more differ. `cut`: there are older tickets that were not looked at.
    """

    tickets: int
    cut: bool
    today: dict[Metric, dict[Verdict, int]]
    then: dict[Metric, dict[Verdict, int]]
    differing: list[Ticketed]
    left_out: int
