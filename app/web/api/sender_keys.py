"""The OpenPGP keys that somebody confirmed, for programs."""

from typing import Any

from fastapi import APIRouter, Response

from app.core import cursors
from app.core.errors import NotFound
from app.intake import keys
from app.web.agent import reading
from app.web.answers import Json
from app.web.door import Manager, ManagerAsker, Now, Reader, Route, Tx
from app.web.lists import Cursor, Limit
from app.web.shapes import answers
from app.web.shapes import mails as shapes

router = APIRouter(prefix="/api/v1/sender-keys", tags=["desk"], route_class=Route)


@router.get("", responses=answers(shapes.SenderKeys))
def listed(me: ManagerAsker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """The keys that are confirmed, each for the address that it belongs to, in the order in which they came."""
    after = cursors.place(cursor, int)[0] if cursor is not None else 0
    rows = keys.listed(c, after=after, limit=limit + 1)
    following = cursors.cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Json({"items": rows[:limit], "next": following})


@router.post("", status_code=201, responses=answers(shapes.SenderKey, 409, status=201))
def bring(me: Manager, s: Tx, now: Now, body: shapes.NewSenderKey) -> Json:
    """Confirm that a key belongs to whoever writes from an address. It counts for mail that comes from now on.

    Compare the fingerprint with one that the key's owner told you: anybody can make a key that names anybody. The same key again
    brings what its owner made of it since.
    """
    made = keys.bring(s, reading.READER, body.address, body.key, by=me.signature, now=now)
    return Json(_one(s, made.id), status_code=201, headers={"Location": f"/api/v1/sender-keys/{made.id}"})


@router.get("/{id}", responses=answers(shapes.SenderKey, 404))
def show(id: shapes.PathKey, me: ManagerAsker, c: Reader) -> Json:
    """One confirmed key."""
    return Json(_one(c, id))


@router.delete("/{id}", status_code=204, responses=answers(None, 404, status=204))
def withdraw(id: shapes.PathKey, me: Manager, s: Tx, now: Now) -> Response:
    """Let signatures by this key count for nothing from now on. What was told of earlier mails stays."""
    keys.withdraw(s, id, by=me.signature, now=now)
    return Response(status_code=204)


def _one(c: Any, id: int) -> dict[str, Any]:
    rows = keys.listed(c, id=id, limit=1)
    if not rows:
        raise NotFound(f"There is no confirmed key {id}.")
    return rows[0]
