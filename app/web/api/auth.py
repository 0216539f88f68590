"""Signing in and out, for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, ConfigDict

from app.accounts import sessions
from app.accounts.models import Person
from app.accounts.rules import ACCESS_LIFE, Door
from app.accounts.sessions import Tokens
from app.web.answers import Json
from app.web.door import Anyone, Current, House, Now, Route, Tx

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=Route)


class Refresh(BaseModel):
    """A refresh token, to be changed for new tokens."""

    model_config = ConfigDict(extra="forbid")
    refresh_token: str


@router.post("/login")
def login(
    s: Tx, now: Now, house: House, request: Request, username: Annotated[str, Form()], password: Annotated[str, Form()]
) -> Json:
    """Tokens for an address and its password."""
    source = request.client.host if request.client else ""
    person = sessions.check_password(s, house.counters, email=username, password=password, source=source)
    return _answer(sessions.sign_in(s, person, door=Door.API, source=source, now=now))


@router.post("/refresh")
def refresh(s: Tx, now: Now, body: Refresh) -> Json:
    """New tokens for a refresh token, which is worthless from then on."""
    return _answer(sessions.refresh(s, body.refresh_token, now=now)[1])


@router.post("/logout", status_code=204)
def logout(s: Tx, now: Now, session: Current) -> Response:
    """End this session; its tokens are worthless from then on."""
    sessions.sign_out(s, session, now=now)
    return Response(status_code=204)


@router.get("/me")
def me(me: Anyone) -> Json:
    """Who I am."""
    return Json(person(me))


def person(of: Person) -> dict[str, Any]:
    """A person as the API tells them."""
    organization = {"id": of.organization.id, "name": of.organization.name} if of.organization else None
    return {"id": of.id, "email": of.email, "name": of.name, "role": of.role, "organization": organization}


def _answer(tokens: Tokens) -> Json:
    body = {
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "token_type": "bearer",
        "expires_in": int(ACCESS_LIFE.total_seconds()),
    }
    return Json(body, headers={"Cache-Control": "no-store"})
