"""Merging, splitting and moving, for programs."""

from fastapi import APIRouter

from app.accounts.models import Person
from app.accounts.rules import Verb, may
from app.db.session import Session
from app.tickets import merging, splitting
from app.tickets.holding import locked
from app.web.answers import Json
from app.web.door import Agent, Match, Now, NumberToSee, Route, Tx
from app.web.shapes import answers
from app.web.shapes import merging as shapes
from app.web.shapes import tickets as tickets
from app.web.stale import IfMatch
from app.web.telling import answer

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)


@router.post("/{number}/merge", status_code=201, responses=answers(tickets.Ticket, 404, 409, 412, status=201))
def merge(number: NumberToSee, me: Agent, s: Tx, now: Now, match: Match, body: shapes.MergeInto) -> Json:
    """Make it part of another ticket of the same customer.

    Its messages are read there, its followers get that ticket's answers, its clocks stop, and what its customer writes from now
    on lands there. The answer is the merged ticket; it can't be changed any more until it is unmerged.
    """
    merging.alone(s)
    _expect(s, match, me, number, body.into)
    made = merging.merge(s, number, body.into, by=me, now=now, reveal=body.reveal)
    return answer(s, locked(s, [made.source])[number], me, status=201)


@router.delete("/{number}/merge", responses=answers(tickets.Ticket, 404, 409, 412))
def unmerge(number: NumberToSee, me: Agent, s: Tx, now: Now, match: Match) -> Json:
    """Make it a ticket of its own again: its messages, followers and clocks are as they were.

    What was said meanwhile stays on the ticket where it was said.
    """
    merging.alone(s)
    _expect(s, match, me, number)
    merging.unmerge(s, number, by=me, now=now)
    return answer(s, locked(s, [number])[number], me)


@router.post("/{number}/messages/{id}/split", status_code=201, responses=answers(tickets.Ticket, 404, 409, 412, status=201))
def split(number: NumberToSee, id: int, me: Agent, s: Tx, now: Now, match: Match, body: shapes.Split) -> Json:
    """Make a message the first of a new ticket of its author's, with the same team, priority and tags."""
    _expect(s, match, me, number)
    fresh = splitting.split(s, number, id, subject=body.subject, by=me, now=now)
    return answer(s, fresh, me, status=201, Location=f"/api/v1/tickets/{fresh.number}")


@router.post("/{number}/messages/{id}/move", responses=answers(shapes.Moved, 404, 409, 412))
def move(number: NumberToSee, id: int, me: Agent, s: Tx, now: Now, match: Match, body: shapes.MoveTo) -> Json:
    """Put a message on another ticket of the same customer. Moving it back undoes it."""
    _expect(s, match, me, number, body.to)
    splitting.move(s, number, id, to=body.to, by=me, now=now, reveal=body.reveal)
    return Json({"message": id, "moved_from": number, "moved_to": body.to})


def _expect(s: Session, match: IfMatch, me: Person, number: int, *others: int) -> None:
    """Holds the tickets, all in one order, and refuses where the asker read another revision of the first."""
    ticket = locked(s, [number, *others]).get(number)
    if ticket is not None and may(me, Verb.SEE, ticket):
        match.check_ticket(s, ticket, me)
