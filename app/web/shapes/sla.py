"""Service levels."""

from typing import Annotated, Any

from pydantic import Field

from app.core.priority import Priority
from app.sla.rules import Metric, Start
from app.web.shapes import Answer, Shape, example

Seconds = Annotated[int, Field(strict=True, ge=1, le=10 * 366 * 86_400)]


class PolicyChange(Shape):
    """Targets in seconds of working time by metric and priority; what is left out stays."""

    model_config = Shape.model_config | example(targets={"first_response": {"urgent": 1800}})
    targets: dict[Metric, dict[Priority, Seconds]] = Field(default_factory=dict)
    starts: Start | None = None


class Policy(Answer):
    """A set of promises, in seconds of working time. The first whose `match` fits a ticket is its policy."""

    id: int
    name: str
    position: int
    version: int
    active: bool
    starts: Start
    match: dict[str, Any]
    targets: dict[Metric, dict[Priority, int]]


class Policies(Answer):
    """All of them, in the order in which they are tried."""

    items: list[Policy]
    next: str | None
