"""Passkeys, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.accounts import passkeys, sessions
from app.accounts.rules import Door
from app.web import visit
from app.web.answers import Json, Told
from app.web.api.auth import told
from app.web.desk import Desk
from app.web.door import Anyone, Asker, Current, House, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import sign_in as shapes

router = APIRouter(prefix="/api/v1/auth/passkeys", tags=["account"], route_class=Route)


@router.get("", responses=answers(shapes.Passkeys))
def listed(
    me: Asker, c: Reader, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: Annotated[str | None, Query()] = None
) -> Told:
    """My passkeys."""
    return Told(passkeys.listed(c, me, limit=limit, cursor=cursor))


@router.post("/options", responses=answers(shapes.PasskeyOptions))
def options(me: Anyone, session: Current, s: Tx, now: Now, house: House) -> Json:
    """What a browser needs to make a passkey for me. Good for five minutes, in this session."""
    sessions.require_fresh(session, now=now)
    return Json(passkeys.options_to_add(s, _party(house), me, session, now=now))


@router.post("", status_code=201, responses=answers(shapes.Passkey, 409, status=201))
def add(me: Anyone, session: Current, s: Tx, now: Now, house: House, body: shapes.NewPasskey) -> Response:
    """Keep the passkey that the browser made. Administrators' and managers' take a PIN or a finger."""
    made = passkeys.add(s, _party(house), me, session, body.credential, name=body.name, now=now)
    answer = Json({"id": made.id, "name": made.name, "created_at": made.created_at, "used_at": made.used_at}, status_code=201)
    return visit.with_cookie(answer, sessions.lift(s, session, now=now) if session.restricted else None)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, 409, status=204))
def remove(id: int, me: Anyone, session: Current, s: Tx, now: Now) -> Response:
    """Nobody gets in with this passkey any more."""
    sessions.require_fresh(session, now=now)
    passkeys.remove(s, me, id, now=now)
    return Response(status_code=204)


@router.post("/sign-in/options", responses=answers(shapes.PasskeyOptions))
def sign_in_options(now: Now, house: House) -> Json:
    """What a browser needs to sign somebody in with a passkey. It asks for no name, and nothing is stored."""
    return Json(passkeys.options_to_sign_in(_party(house), now=now))


@router.post("/sign-in", responses=answers(shapes.SessionTokens))
def sign_in(s: Tx, now: Now, house: House, request: Request, body: shapes.PasskeyAnswer) -> Json:
    """Tokens for a passkey's answer. It takes no password and no code."""
    source = visit.source(request)
    person = passkeys.owner(s, _party(house), house.counters, body.credential, source=source, now=now)
    return told(sessions.sign_in(s, person, door=Door.API, source=source, agent=visit.agent(request), now=now))


def _party(house: Desk) -> passkeys.House:
    return passkeys.House.of(house.settings, house.signer)
