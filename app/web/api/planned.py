"""Answers that are written and not said yet, for programs."""

from fastapi import APIRouter, Response

from app.tickets import planned, reading
from app.web.answers import Json, Told
from app.web.door import Agent, Now, Route, TicketOfPlans, TicketToNote, TicketToWork, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import messages as shapes

router = APIRouter(prefix="/api/v1/tickets/{number}/planned", tags=["tickets"], route_class=Route)


@router.get("", responses=answers(shapes.PlannedAnswers, 404))
def listing(ticket: TicketToNote, me: Agent, s: Tx, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Read the answers that wait for their time on a ticket, or for somebody because they could not go out."""
    waiting = [planned.told(one) for one in planned.of(s, ticket)]
    return Json(page(waiting, lambda one: (one["id"],), limit=limit, cursor=cursor))


@router.delete("/{id}", responses=answers(shapes.Planned, 404, 409, 412))
def take_back(ticket: TicketOfPlans, id: int, me: Agent, s: Tx, now: Now) -> Json:
    """Take an answer back before it goes out; its words are the answer to this."""
    one = planned.found(s, ticket, id)
    words = planned.told(one)
    planned.take_back(s, ticket, one, by=me, now=now)
    return Json(words)


@router.post("/{id}/sending", status_code=201, responses=answers(shapes.Message, 404, 409, 412, status=201))
def send(ticket: TicketToWork, id: int, me: Agent, s: Tx, now: Now) -> Response:
    """Send an answer now, in its author's name."""
    message = planned.send(s, ticket, planned.found(s, ticket, id), now=now)
    s.flush()
    return Told(reading.message(s.connection(), me, message.ticket, message.id), 201)
