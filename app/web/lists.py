"""How lists are asked for, and the pages of those that are short by nature and read whole."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import Query

from app.core import cursors

Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=2000, description="The `next` of the page before")]
Item = dict[str, Any]
Place = Callable[[Item], tuple[str | int, ...]]


def page(items: Iterable[Item], place: Place, *, limit: int, cursor: str | None) -> Item:
    """Those of `items` that come after the cursor, in the order of their places, which are each one's own."""
    rest = sorted(items, key=place)
    if cursor is not None:
        after = _after(cursor, rest, place)
        rest = [item for item in rest if place(item) > after]
    more = len(rest) > limit
    return {"items": rest[:limit], "next": cursors.cursor(*place(rest[limit - 1])) if more else None}


def _after(cursor: str, items: list[Item], place: Place) -> tuple[Any, ...]:
    """What was told last: it may have gone, but its place stays. Raises WrongCursor."""
    kinds = [type(each) for each in place(items[0])] if items else None
    return tuple(cursors.place(cursor, *kinds)) if kinds else ()
