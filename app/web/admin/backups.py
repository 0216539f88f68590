"""The backups, for who runs the desk: what is there, whether it was proven, and one more on demand."""

from fastapi import APIRouter, Request, Response

from app.ops.backup import nights, standing
from app.web.door import Admin, AdminAsker, House, Now, Reader, Tx
from app.web.forms import PageRoute, page
from app.web.pages import see_other

router = APIRouter(prefix="/admin/backups", route_class=PageRoute)
SHOWN = 50


@router.get("")
def index(me: AdminAsker, c: Reader, now: Now, house: House, request: Request, asked: bool = False) -> Response:
    """The last backups, how it stands with them, and whether somebody has their key."""
    how = standing.of(c, house.settings, now=now)
    return page(
        request,
        "admin/backups.html",
        me=me,
        now=now,
        trouble=[how.amiss] if how.amiss else [],
        standing=how,
        off=house.settings.backup_schedule == "off",
        schedule=house.settings.backup_schedule,
        desk_zone=house.settings.tz,
        keep=house.settings.backup_keep,
        rows=standing.rows(c, limit=SHOWN),
        unkept=standing.KEEP_THE_KEY if how.last and not how.key_kept else None,
        said=nights.WORDS if asked else None,
    )


@router.post("")
def ask(me: Admin, s: Tx, now: Now, house: House) -> Response:
    """Have one made now."""
    nights.ask(s, house.settings, by=me.signature, now=now)
    return see_other("/admin/backups?asked=1")
