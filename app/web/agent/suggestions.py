"""A say over mails that may belong to a ticket."""

from fastapi import APIRouter, Request

from app.intake import suggestions
from app.web.agent.ticket import back_to_ticket
from app.web.api.watchers import own_addresses
from app.web.door import Agent, House, Now, TicketToWork, Tx
from app.web.forms import PageRoute, Text

router = APIRouter(prefix="/tickets/{number:key}/suggestions/{id:key}", route_class=PageRoute)


@router.post("/acceptance")
@back_to_ticket
def accept(
    ticket: TicketToWork, id: int, me: Agent, s: Tx, now: Now, house: House, request: Request, put_in_copy: Text = ""
) -> None:
    """It belongs to the ticket."""
    ours, gate = own_addresses(s, house), house.settings.accept_gate
    suggestions.accept(s, ticket, id, put_in_copy=bool(put_in_copy), ours=ours, by=me, gate=gate, now=now)


@router.post("/refusal")
@back_to_ticket
def refuse(ticket: TicketToWork, id: int, me: Agent, s: Tx, now: Now, house: House, request: Request) -> None:
    """It is a matter of its own."""
    suggestions.refuse(s, ticket, id, by=me, gate=house.settings.accept_gate, now=now)
