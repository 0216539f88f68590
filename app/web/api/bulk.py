"""Changing many tickets at once, for programs."""

from fastapi import APIRouter

from app.tickets import bulk
from app.tickets.bulk import Changing, Trashing
from app.tickets.change import Change
from app.web.answers import Told
from app.web.door import Agent, AgentAsker, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import merging as shapes

router = APIRouter(prefix="/api/v1/tickets/bulk", tags=["tickets"], route_class=Route)


@router.post("", status_code=201, responses=answers(shapes.Bulk, status=201))
def change(me: Agent, s: Tx, now: Now, body: shapes.BulkChange) -> Told:
    """Change up to 500 tickets, or put them in the trash.

    Each for itself: what is refused is listed with its reason, and the rest is done.
    """
    deed = Trashing(body.trash.reason) if body.trash else Changing(Change.of(body.change.said if body.change else {}))
    made = bulk.do(s, body.tickets, deed, by=me, now=now)
    s.flush()
    return Told(bulk.told(s.connection(), me, made.id), status_code=201, headers={"Location": f"/api/v1/tickets/bulk/{made.id}"})


@router.get("/{id}", responses=answers(shapes.Bulk, 404))
def show(id: int, me: AgentAsker, c: Reader) -> Told:
    """What such a change did; for whoever made it and for managers."""
    return Told(bulk.told(c, me, id))


@router.post("/{id}/reversion", status_code=201, responses=answers(shapes.Bulk, 404, 409, status=201))
def revert(id: int, me: Agent, s: Tx, now: Now) -> Told:
    """Undo it as a whole, once; for whoever made it and for managers.

    Each ticket that is still as the change left it gets back what it had. Those changed since are left alone and listed.
    """
    bulk.revert(s, id, by=me, now=now)
    s.flush()
    return Told(bulk.told(s.connection(), me, id), status_code=201)
