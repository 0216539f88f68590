"""What may be refused while the rest goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.core.errors import DeskError
from app.db.session import Session


@contextmanager
def attempt(s: Session, **facts: Any) -> Iterator[None]:
    """A savepoint. What is recorded in it carries `facts` too, and is forgotten where it is refused."""
    waiting: list[dict[str, Any]] = s.info.setdefault("audit", [])
    known = len(waiting)
    try:
        with s.begin_nested():
            yield
    except DeskError:
        del waiting[known:]
        raise
    for entry in waiting[known:]:
        entry["data"] |= facts
