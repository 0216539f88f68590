"""The certificate, for who runs the desk: what is shown, until when, and what the authority says."""

from fastapi import APIRouter, Request, Response

from app.ops import wanted
from app.web.door import Admin, AdminAsker, House, Now, Tx
from app.web.forms import PageRoute, page
from app.web.pages import see_other

router = APIRouter(prefix="/admin/certificate", route_class=PageRoute)


@router.get("")
def show(me: AdminAsker, now: Now, house: House, request: Request, asked: bool = False) -> Response:
    """How it stands with it."""
    how = wanted.standing(house.settings)
    trouble = [how.problem] if how.problem else []
    said = wanted.WORDS if asked else None
    return page(request, "admin/certificate.html", me=me, now=now, trouble=trouble, how=how, said=said)


@router.post("")
def ask(me: Admin, s: Tx, now: Now, house: House) -> Response:
    """Have it looked at now."""
    wanted.ask(s, house.settings, by=me.signature, now=now)
    return see_other("/admin/certificate?asked=1")
