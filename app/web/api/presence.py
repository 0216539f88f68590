"""Who is looking at a ticket, for programs."""

from fastapi import APIRouter, Request, Response

from app.tickets import presence
from app.web.answers import Json
from app.web.door import AgentAsker, NumberToSee, Reader, Route
from app.web.lists import Cursor, Limit, page
from app.web.live import live_of
from app.web.shapes import answers
from app.web.shapes import presence as shapes

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)


@router.get("/{number}/presence", responses=answers(shapes.People, 404))
def here(number: NumberToSee, me: AgentAsker, c: Reader, request: Request, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Who of the staff has this ticket open."""
    return _told(request, number, limit, cursor)


@router.put("/{number}/presence", responses=answers(shapes.People, 404))
def come(number: NumberToSee, me: AgentAsker, c: Reader, request: Request, body: shapes.Presence) -> Json:
    """I have this ticket open, for half a minute from now; say it again before that. Answers who has."""
    presence.come(live_of(request).board, c, number, id=me.id, name=me.name, doing=body.doing)
    return _told(request, number)


@router.delete("/{number}/presence", status_code=204, responses=answers(None, 404, status=204))
def leave(number: NumberToSee, me: AgentAsker, c: Reader, request: Request) -> Response:
    """I have it open no longer."""
    presence.leave(live_of(request).board, c, number, id=me.id)
    return Response(status_code=204)


def _told(request: Request, number: int, limit: int = 100, cursor: str | None = None) -> Json:
    found = presence.told(presence.here(live_of(request).board, number))
    return Json(page(found, lambda person: (person["name"], person["id"]), limit=limit, cursor=cursor))
