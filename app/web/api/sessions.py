"""One's own sessions, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.accounts import sessions
from app.web.answers import Told
from app.web.door import Anyone, Asker, Current, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import sign_in as shapes

router = APIRouter(prefix="/api/v1/auth/sessions", tags=["account"], route_class=Route)


@router.get("", responses=answers(shapes.Sessions))
def listed(
    me: Asker, c: Reader, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: Annotated[str | None, Query()] = None
) -> Told:
    """Where I am signed in: by what, from where, since when, and when last seen."""
    return Told(sessions.listed(c, me, limit=limit, cursor=cursor))


@router.delete("/{id}", status_code=204, responses=answers(None, 404, status=204))
def end(id: int, me: Anyone, s: Tx, now: Now) -> Response:
    """End one of my sessions, wherever that is."""
    sessions.end(s, me, id, now=now)
    return Response(status_code=204)


@router.delete("", status_code=204, responses=answers(None, status=204))
def end_others(session: Current, s: Tx, now: Now) -> Response:
    """End all my sessions but this one."""
    sessions.end_others(s, session, now=now)
    return Response(status_code=204)
