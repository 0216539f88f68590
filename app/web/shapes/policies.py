"""What is promised to whom."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from app.core.priority import Priority
from app.sla import policies as actions
from app.sla.rules import Merging, Metric, Reopening, Start
from app.sla.rules.ladder import Rung
from app.web.shapes import Answer, Shape, example
from app.web.shapes.desk import PathKey

__all__ = ["NewPolicy", "Order", "PathKey", "Policies", "Policy", "PolicyChange"]

Seconds = Annotated[int, Field(strict=True, ge=1, le=actions.LONGEST_TARGET)]
Window = Annotated[int, Field(strict=True, ge=0, le=actions.LONGEST_WINDOW, description="In seconds after it was resolved.")]
Name = Annotated[str, Field(min_length=1, max_length=actions.LONGEST)]
Key = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
Word = Annotated[str, Field(max_length=200)] | Annotated[int, Field(strict=True)] | bool
Matching = Annotated[
    dict[str, Annotated[list[Word], Field(min_length=1, max_length=actions.MOST_WORDS)]],
    Field(
        max_length=20,
        description="What has to be true of a ticket: `priority`, `team` and `organization` (by number), `tag`, `channel`, "
        "`field:` and a custom field's key, each with the words of which one has to fit. Empty fits every ticket.",
    ),
]


class TargetChange(Shape):
    """What is promised for one metric and priority; what is left out stays, or is as usual on a new target."""

    seconds: Seconds | None = Field(default=None, description="Of working time.")
    calendar_id: Key | None = None
    pauses: list[Annotated[str, Field(max_length=40)]] | None = Field(
        default=None,
        max_length=10,
        description="The ticket's statuses in which the clock stands still: waiting_customer or none.",
    )
    thresholds: list[Annotated[str, Field(max_length=20)]] | None = Field(
        default=None, max_length=50, description="What is told besides the breach: 75%, -30m before it is due, +1h after."
    )


Targets = Annotated[
    dict[Metric, dict[Priority, Seconds | TargetChange | None]],
    Field(description="By metric and priority; a number is one of seconds, null promises nothing any more."),
]


class Step(Shape):
    """Who is told when a threshold falls, at which hours, and how often until somebody acknowledges it."""

    metric: Metric
    threshold: Annotated[str, Field(max_length=20, description="100% or one of the metric's thresholds.")] = "100%"
    recipients: list[Annotated[str, Field(max_length=320)]] = Field(
        max_length=50,
        description="managers, admins, team, assignee, person: and a number, addresses, or webhook: and the number of one that "
        "is told of ticket.deadline.",
    )
    calendar_id: Key | None = Field(default=None, description="They are told when it is open; null: at any hour.")
    repeat_minutes: Annotated[int, Field(strict=True, ge=1, le=10_080)] | None = None
    most: Annotated[int, Field(strict=True, ge=1, le=100, description="How often they are told in all.")] = 1

    @property
    def rung(self) -> Rung:
        repeat = timedelta(minutes=self.repeat_minutes) if self.repeat_minutes else None
        return Rung(self.metric, self.threshold, tuple(self.recipients), self.calendar_id, repeat, self.most)


class PolicyChange(Shape):
    """What to change; what is left out stays."""

    model_config = Shape.model_config | example(targets={"first_response": {"urgent": 1800}})
    name: Name | None = None
    match: Matching | None = None
    active: bool | None = None
    starts: Start | None = None
    reopening: Reopening | None = None
    reopen_window: Window | None = None
    merging: Merging | None = None
    targets: Targets = Field(default_factory=dict)
    steps: list[Step] | None = Field(default=None, max_length=50, description="The ladder, all of it.")


class NewPolicy(PolicyChange):
    """A policy. What isn't said is as on a new desk."""

    model_config = Shape.model_config | example(
        name="Silver",
        match={"tag": ["silver"]},
        targets={
            "resolution": {"urgent": {"seconds": 14400, "pauses": ["waiting_customer"], "thresholds": ["50%", "-30m", "+1h"]}}
        },
    )
    name: Name


class Order(Shape):
    """All policies by their numbers."""

    model_config = Shape.model_config | example(order=[1])
    order: list[Key] = Field(max_length=actions.MOST)


class Target(Answer):
    """What is promised for one metric and priority: so many seconds of the calendar's working time."""

    seconds: int
    calendar_id: int
    pauses: list[str]
    thresholds: list[str]


class StepTold(Answer):
    """A step of the ladder."""

    metric: Metric
    threshold: str
    recipients: list[str]
    calendar_id: int | None
    repeat_minutes: int | None
    most: int


class Policy(Answer):
    """A set of promises. The first whose `match` fits a ticket is its policy."""

    id: int
    name: str
    position: int
    version: int
    active: bool
    starts: Start
    match: dict[str, list[str]]
    reopening: Reopening
    reopen_window: int
    merging: Merging
    targets: dict[Metric, dict[Priority, Target]]
    steps: list[StepTold]


class Policies(Answer):
    """All of them, in the order in which they are tried."""

    items: list[Policy]
    next: str | None
