"""Who is looking at a ticket, for programs."""

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, select

from app.accounts.identity import Identity
from app.core.errors import NotFound
from app.tickets import presence
from app.tickets.models import Ticket
from app.tickets.queries import visible_to
from app.web.answers import Json
from app.web.door import AgentAsker, Reader, Route
from app.web.live import live_of
from app.web.shapes import answers
from app.web.shapes import presence as shapes

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)


@router.get("/{number}/presence", responses=answers(shapes.People, 404))
def here(number: int, me: AgentAsker, c: Reader, request: Request) -> Json:
    """Who of the staff has this ticket open."""
    _find(c, me, number)
    return _told(request, number)


@router.put("/{number}/presence", responses=answers(shapes.People, 404))
def come(number: int, me: AgentAsker, c: Reader, request: Request, body: shapes.Presence) -> Json:
    """I have this ticket open, for half a minute from now; say it again before that. Answers who has."""
    _find(c, me, number)
    presence.come(live_of(request).board, c, number, id=me.id, name=me.name, doing=body.doing)
    return _told(request, number)


@router.delete("/{number}/presence", status_code=204, responses=answers(None, 404, status=204))
def leave(number: int, me: AgentAsker, c: Reader, request: Request) -> Response:
    """I have it open no longer."""
    _find(c, me, number)
    presence.leave(live_of(request).board, c, number, id=me.id)
    return Response(status_code=204)


def _find(c: Connection, me: Identity, number: int) -> None:
    if c.execute(select(Ticket.number).where(Ticket.number == number, visible_to(me))).scalar() is None:
        raise NotFound(f"There is no ticket {number} here.")


def _told(request: Request, number: int) -> Json:
    return Json({"items": presence.told(presence.here(live_of(request).board, number)), "next": None})
