"""Backups, for programs. An archive itself leaves the machine by its volume, or by the place that backups are copied to."""

from fastapi import APIRouter

from app.core import cursors
from app.ops.backup import nights, standing
from app.web.answers import Json
from app.web.door import Admin, AdminAsker, House, Now, Reader, Route, Tx
from app.web.lists import Cursor, Limit
from app.web.shapes import answers
from app.web.shapes import backups as shapes

router = APIRouter(prefix="/api/v1/backups", tags=["desk"], route_class=Route)


@router.get("", responses=answers(shapes.Backups))
def listed(me: AdminAsker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """The backups and what is known of each, the last first."""
    [before] = cursors.place(cursor, int) if cursor is not None else [None]
    rows = standing.rows(c, limit=limit + 1, before=before)
    items = [{name: row[name] for name in shapes.Backup.model_fields} for row in rows[:limit]]
    return Json({"items": items, "next": cursors.cursor(items[-1]["id"]) if len(rows) > limit else None})


@router.post("", status_code=202, responses=answers(shapes.Asked, status=202))
def ask(me: Admin, s: Tx, now: Now, house: House) -> Json:
    """Make a backup now. It is in the list as soon as it begins."""
    nights.ask(s, house.settings, by=me.signature, now=now)
    return Json({"words": nights.WORDS}, status_code=202)
