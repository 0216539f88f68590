"""API tokens, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.accounts import sessions, tokens
from app.web.answers import Json, ShownOnce, Told
from app.web.door import Anyone, Asker, Current, Now, Reader, Route, SecondFactorNeeded, Tx
from app.web.shapes import answers
from app.web.shapes import sign_in as shapes

router = APIRouter(prefix="/api/v1/tokens", tags=["account"], route_class=Route)


@router.get("", responses=answers(shapes.Tokens))
def listed(
    me: Asker, c: Reader, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: Annotated[str | None, Query()] = None
) -> Told:
    """My API tokens, expired ones too: how each begins, what it may do, and when it was last used."""
    return Told(tokens.listed(c, me, limit=limit, cursor=cursor))


@router.post("", status_code=201, responses=answers(shapes.MadeToken, 409, status=201))
def make(me: Anyone, session: Current, s: Tx, now: Now, body: shapes.NewToken) -> Json:
    """Make an API token, which is shown once. It takes a session, not another token."""
    if session.restricted:
        raise SecondFactorNeeded
    sessions.require_fresh(session, now=now)
    made, words = tokens.make(s, me, name=body.name, scopes=body.scopes, days=body.days, now=now)
    told = {"id": made.id, "name": made.name, "prefix": made.prefix, "scopes": made.scopes, "used_at": made.used_at}
    return ShownOnce({**told, "created_at": made.created_at, "expires_at": made.expires_at, "token": words}, 201)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, status=204))
def revoke(id: int, me: Anyone, s: Tx, now: Now) -> Response:
    """Nothing gets in with this token any more."""
    tokens.revoke(s, me, id, now=now)
    return Response(status_code=204)
