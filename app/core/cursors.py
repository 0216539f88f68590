"""Cursors of lists: a place in an order, as one word."""

import base64
import json
from typing import Any

from app.core.errors import Invalid


class WrongCursor(Invalid):
    """That cursor is none of ours; take the `next` of an earlier answer, or leave it out."""

    slug = "wrong-cursor"


def cursor(*place: str | int) -> str:
    """The cursor of this place."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def place(cursor: str, *kinds: type) -> list[Any]:
    """The place of a cursor, its values of these kinds. Raises WrongCursor."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise WrongCursor from None
    if not isinstance(found, list) or [type(each) for each in found] != list(kinds):
        raise WrongCursor
    if any((isinstance(each, int) and not 0 <= each < 2**63) or (isinstance(each, str) and "\0" in each) for each in found):
        raise WrongCursor
    return found
