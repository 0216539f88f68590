"""Invitations, forgotten passwords and new addresses, for programs."""

from fastapi import APIRouter, Request, Response

from app.outbox.house import house as letters
from app.people import actions as people
from app.web.answers import Json
from app.web.door import Anyone, House, Now, Route, Tx
from app.web.shapes import answers
from app.web.shapes import people as shapes
from app.web.visit import source

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=Route)

FORGOTTEN = "If somebody here has this address, a letter with a link is on its way. It is good for 30 minutes."
ADDRESS = "If nobody here has this address, a letter with a link is on its way to it. It is good for 24 hours."


@router.post("/password/forgot", status_code=202, responses=answers(shapes.OnItsWay, status=202))
def forgot(s: Tx, now: Now, house: House, request: Request, body: shapes.Forgotten) -> Json:
    """Have a link for a new password mailed. The answer is the same for every address."""
    post = letters(house.settings, house.signer)
    people.forgot(s, post, house.counters, email=body.email, source=source(request), now=now)
    return Json({"detail": FORGOTTEN}, status_code=202)


@router.post("/password/reset", status_code=204, responses=answers(None, 404, status=204))
def reset(s: Tx, now: Now, house: House, body: shapes.NewPassword) -> Response:
    """Choose a new password with the token of a mailed link. Every session ends; nobody is signed in by it."""
    people.reset(s, letters(house.settings, house.signer), body.token, password=body.password, now=now)
    return Response(status_code=204)


@router.post("/invitation", status_code=204, responses=answers(None, 404, status=204))
def accept(s: Tx, now: Now, body: shapes.Acceptance) -> Response:
    """Choose the first password with the token of an invitation. Nobody is signed in by it."""
    people.accept(s, body.token, password=body.password, name=body.name, now=now)
    return Response(status_code=204)


@router.post("/password", status_code=204, responses=answers(None, status=204))
def change_password(me: Anyone, s: Tx, now: Now, house: House, request: Request, body: shapes.PasswordChange) -> Response:
    """Change my password. It takes the present one, and ends every session, this one too."""
    post = letters(house.settings, house.signer)
    people.change_password(s, post, house.counters, me, old=body.old, new=body.new, source=source(request), now=now)
    return Response(status_code=204)


@router.post("/email", status_code=202, responses=answers(shapes.OnItsWay, status=202))
def ask_new_address(me: Anyone, s: Tx, now: Now, house: House, request: Request, body: shapes.AddressChange) -> Json:
    """Have a link mailed to the address that I want to have. It takes my password; nothing changes before I confirm."""
    post = letters(house.settings, house.signer)
    people.ask_new_address(s, post, house.counters, me, email=body.email, password=body.password, source=source(request), now=now)
    return Json({"detail": ADDRESS}, status_code=202)


@router.post("/email/confirmation", status_code=204, responses=answers(None, 404, 409, status=204))
def confirm_new_address(me: Anyone, s: Tx, now: Now, house: House, body: shapes.Confirmation) -> Response:
    """Confirm my new address with the token of the link that was mailed there. The old one is told."""
    people.confirm_new_address(s, letters(house.settings, house.signer), me, body.token, now=now)
    return Response(status_code=204)
