"""Addresses that get no more mail, for programs."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.core import cursors
from app.outbox import queries as letters
from app.outbox import suppression
from app.web.answers import Json
from app.web.door import Manager, ManagerAsker, Now, Reader, Route, Tx
from app.web.lists import Cursor, Limit
from app.web.shapes import answers
from app.web.shapes import mails as shapes

router = APIRouter(prefix="/api/v1/suppressions", tags=["desk"], route_class=Route)


@router.get("", responses=answers(shapes.Suppressions))
def listed(me: ManagerAsker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """The addresses that get no more mail, or none that a machine writes, the last ones first."""
    rows = letters.suppressed(c, limit=limit + 1, after=_place(cursor) if cursor is not None else None)
    last = rows[limit - 1] if len(rows) > limit else None
    return Json({"items": rows[:limit], "next": cursors.cursor(last["since"].isoformat(), last["address"]) if last else None})


@router.delete("/{address}", status_code=204, responses=answers(None, 404, status=204))
def lift(address: Annotated[str, Path(max_length=320)], me: Manager, s: Tx, now: Now) -> Response:
    """Send mail to this address again, and forget what failed before."""
    suppression.lift_by_hand(s, address, by=me.signature, now=now)
    return Response(status_code=204)


def _place(cursor: str) -> tuple[datetime, str]:
    since, address = cursors.place(cursor, str, str)
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        raise cursors.WrongCursor from None
    if at.tzinfo is None:
        raise cursors.WrongCursor
    return at, address
