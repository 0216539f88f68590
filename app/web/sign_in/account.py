"""The page of one's own account: who one is here, and the time zone one is told times in."""

from datetime import datetime

from fastapi import APIRouter, Request, Response

from app.accounts import actions as accounts
from app.accounts import queries
from app.accounts.models import Person
from app.core import zones
from app.core.errors import Invalid
from app.web.desk import desk_of
from app.web.door import Anyone, Now, Tx
from app.web.forms import PageRoute, Text, page
from app.web.pages import see_other

HERE = "/account"

router = APIRouter(prefix=HERE, tags=["account"], route_class=PageRoute)


@router.get("")
def show(me: Anyone, now: Now, request: Request) -> Response:
    """Who I am, and where."""
    return _page(request, me, now, me.zone or "")


@router.post("/time-zone")
def choose_zone(me: Anyone, s: Tx, now: Now, request: Request, zone: Text = "") -> Response:
    """Be told times in another zone; left empty, in the desk's."""
    held = queries.by_id(s, me.id) or me
    try:
        accounts.set_zone(s, held, zone.strip(), by=held, now=now)
    except Invalid as wrong:
        return _page(request, me, now, zone, refusal=wrong)
    return see_other(HERE)


def _page(request: Request, me: Person, now: datetime, typed: str, *, refusal: Invalid | None = None) -> Response:
    return page(
        request,
        "sign_in/account.html",
        me=me,
        now=now,
        typed=typed,
        offered=zones.offered(),
        desk_zone=desk_of(request).settings.tz,
        status=refusal.status if refusal else 200,
        refusal=refusal.message if refusal else None,
    )
