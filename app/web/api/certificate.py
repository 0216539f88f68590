"""The certificate, for programs. The certificate itself is shown to everybody who connects, and its key to nobody."""

from dataclasses import asdict

from fastapi import APIRouter

from app.ops import wanted
from app.web.answers import Json
from app.web.door import Admin, AdminAsker, House, Now, Route, Tx
from app.web.shapes import answers
from app.web.shapes import certificate as shapes

router = APIRouter(prefix="/api/v1/certificate", tags=["desk"], route_class=Route)


@router.get("", responses=answers(shapes.Certificate))
def show(me: AdminAsker, house: House) -> Json:
    """How it stands with the certificate that visitors are shown."""
    return Json(asdict(wanted.standing(house.settings)))


@router.post("", status_code=202, responses=answers(shapes.Asked, status=202))
def ask(me: Admin, s: Tx, now: Now, house: House) -> Json:
    """Look at the certificate now: check its files anew, or ask the authority again where one is due and may be asked."""
    wanted.ask(s, house.settings, by=me.signature, now=now)
    return Json({"words": wanted.WORDS}, status_code=202)
