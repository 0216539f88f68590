"""Who was told of a ticket's deadlines, and who looks after them, for programs."""

from fastapi import APIRouter

from app.sla import ladder
from app.tickets import evidence
from app.web.answers import Json
from app.web.door import Agent, Now, Route, TicketToNote, TicketToWork, Tx
from app.web.lists import Cursor, Limit
from app.web.shapes import answers
from app.web.shapes import sla as shapes

router = APIRouter(prefix="/api/v1/tickets/{number}/sla", tags=["tickets"], route_class=Route)


@router.get("/escalations", responses=answers(shapes.Escalations, 404))
def listing(ticket: TicketToNote, s: Tx, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Read who was told of a ticket's deadlines: when each fell, was noticed, sent, taken by the server and acknowledged."""
    found, following = evidence.escalations(s.connection(), ticket.number, limit=limit, cursor=cursor)
    return Json({"items": found, "next": following})


@router.post("/acknowledgements", responses=answers(shapes.Acknowledgement, 404, 409, 412))
def acknowledge(ticket: TicketToWork, me: Agent, s: Tx, now: Now) -> Json:
    """Say that you look after what is missed or near on a ticket: nobody is told of it again."""
    return Json({"steps": ladder.acknowledge(s, ticket.number, by=me.signature, now=now)})
