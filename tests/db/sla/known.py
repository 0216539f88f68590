"""What is known of the tickets of these tests: their priority alone, unless a test says more."""

from collections.abc import Collection, Mapping

from app.core.priority import Priority
from app.db.session import Session
from app.sla.rules import Facts


def of(priority: Priority, **more: str) -> Facts:
    return {"priority": (priority.value,)} | {name: (word,) for name, word in more.items()}


def nothing_more(_: Session, numbers: Collection[int]) -> Mapping[int, Facts]:
    raise AssertionError(f"nobody asks for more than the priority of {sorted(numbers)}")


URGENT = of(Priority.URGENT)
