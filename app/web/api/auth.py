"""Signing in and out, for programs."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.accounts import actions as accounts
from app.accounts import factors, queries, sessions, throttle
from app.accounts.models import Person
from app.accounts.rules import ACCESS_LIFE, Door
from app.accounts.sessions import Tokens
from app.core.sealing import Sealer
from app.web import visit
from app.web.answers import Json, ShownOnce
from app.web.door import Anyone, Current, House, Match, Now, Route, Tx
from app.web.shapes import answers
from app.web.shapes import sign_in as shapes
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/auth", tags=["account"], route_class=Route)


@router.post("/login", responses=answers(shapes.SessionTokens))
def login(s: Tx, now: Now, house: House, request: Request, form: Annotated[shapes.Login, Form()]) -> Json:
    """Tokens for an address and its password.

    An account with an authenticator app takes a code too: the answer is then 401 with `…:otp-required`, and after a wrong one
    `…:wrong-otp`. A recovery code does as well, once.
    """
    source = visit.source(request)
    person = sessions.check_password(s, house.counters, email=form.username, password=form.password, source=source, now=now)
    factors.check(s, Sealer(house.signer), person, form.otp, now=now, source=source)
    throttle.succeeded(house.counters, email=person.email, source=source)
    return told(sessions.sign_in(s, person, door=Door.API, source=source, agent=visit.agent(request), now=now))


@router.post("/refresh", responses=answers(shapes.SessionTokens))
def refresh(s: Tx, now: Now, request: Request, body: shapes.Refresh) -> Json:
    """New tokens for a refresh token, which is worthless from then on. One that was exchanged before ends its session."""
    return told(sessions.refresh(s, body.refresh_token, now=now, source=visit.source(request))[1])


@router.post("/logout", status_code=204, responses=answers(None, status=204))
def logout(s: Tx, now: Now, session: Current) -> Response:
    """End this session; its tokens are worthless from then on."""
    sessions.sign_out(s, session, now=now)
    return Response(status_code=204)


@router.get("/me", responses=answers(shapes.Me))
def me(me: Anyone) -> Json:
    """Who I am."""
    return _person(me)


@router.patch("/me", responses=answers(shapes.Me, 412))
def change(me: Anyone, s: Tx, now: Now, match: Match, body: shapes.MeChange) -> Json:
    """Choose the time zone that I am told times in: on pages, in letters, and where the API explains a deadline."""
    held = queries.by_id(s, me.id) or me
    match.check(held.revision)
    accounts.set_zone(s, held, body.zone, by=held, now=now)
    return _person(held)


def _person(me: Person) -> Json:
    organization = {"id": me.organization.id, "name": me.organization.name} if me.organization else None
    body = {"id": me.id, "email": me.email, "name": me.name, "role": me.role, "organization": organization, "zone": me.zone}
    return Json(body, headers={"ETag": etag(me.revision)})


def told(tokens: Tokens) -> ShownOnce:
    """Tokens as programs are given them."""
    body = {
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "token_type": "bearer",
        "expires_in": int(ACCESS_LIFE.total_seconds()),
        "restricted": tokens.restricted,
    }
    return ShownOnce(body)
