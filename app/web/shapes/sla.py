"""Service levels."""

from pydantic import Field

from app.core.priority import Priority
from app.sla.rules import Start
from app.web.shapes import Shape


class PolicyChange(Shape):
    """Targets in seconds by metric and priority; what is left out stays."""

    targets: dict[str, dict[Priority, int]] = Field(default_factory=dict)
    starts: Start | None = None
