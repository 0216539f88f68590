"""What is done to a ticket, for programs."""

from fastapi import APIRouter

from app.accounts.models import Person
from app.core.errors import Invalid
from app.tickets import actions as tickets
from app.tickets.rules import Status
from app.web.answers import Json
from app.web.api.tickets import told
from app.web.door import Agent, Now, Route, TicketToWork, Tx
from app.web.shapes import tickets as shapes

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)


@router.patch("/{number}")
def change(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.Change) -> Json:
    """Change how much it hurries."""
    if body.priority is not None:
        tickets.prioritise(s, ticket, to=body.priority, by=me, now=now)
    return Json(told(s, ticket, me))


@router.post("/{number}/acceptance", status_code=201)
def accept(ticket: TicketToWork, me: Agent, s: Tx, now: Now) -> Json:
    """Take it through the gate: its clocks run from here on."""
    tickets.change_status(s, ticket, to=Status.ACCEPTED, by=me, now=now)
    return Json(told(s, ticket, me), status_code=201)


@router.post("/{number}/assignment")
def assign(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.Assignment) -> Json:
    """Make it somebody's."""
    to = None if body.assignee_id is None else s.get(Person, body.assignee_id)
    if body.assignee_id is not None and to is None:
        raise Invalid(f"There is no person {body.assignee_id}.")
    tickets.assign(s, ticket, to=to, by=me, now=now)
    return Json(told(s, ticket, me))


@router.post("/{number}/status")
def status(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.NewStatus) -> Json:
    """Move it on; a step that isn't allowed is 409 and names those that are."""
    tickets.change_status(s, ticket, to=body.status, by=me, now=now)
    return Json(told(s, ticket, me))
