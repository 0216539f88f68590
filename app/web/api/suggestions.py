"""Mails that wait for a say whether they belong to a ticket, for programs."""

from fastapi import APIRouter

from app.accounts.rules import Verb
from app.intake import suggestions
from app.tickets import places
from app.web.answers import Json
from app.web.api.watchers import own_addresses
from app.web.door import Agent, AgentAsker, House, Now, Reader, Route, TicketToWork, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import desk as shapes
from app.web.shapes.desk import PathKey

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)
PLACED = answers(shapes.Placed, 404, 409, 412, status=201)


@router.get("/{number}/suggestions", responses=answers(shapes.Suggestions, 404))
def listing(number: int, me: AgentAsker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """Mails of people who take no part in the ticket but show a sign of it, such as an address that was given to somebody else.

    They stand nowhere, and their senders were told nothing, until somebody decides.
    """
    places.of(c, me, number, Verb.SEE_NOTES)
    return Json(page(suggestions.waiting(c, number), lambda one: (one["id"],), limit=limit, cursor=cursor))


@router.post("/{number}/suggestions/{id}/acceptance", status_code=201, responses=PLACED)
def accept(ticket: TicketToWork, id: PathKey, me: Agent, s: Tx, now: Now, house: House, body: shapes.Acceptance) -> Json:
    """Put the mail on the ticket, as a message of its sender's, who is not its requester; and the sender in copy, if you say so.

    In copy they get every answer from then on, and nothing that was said before.
    """
    ours, gate = own_addresses(s, house), house.settings.accept_gate
    message = suggestions.accept(s, ticket, id, put_in_copy=body.put_in_copy, ours=ours, by=me, gate=gate, now=now)
    return Json({"ticket": ticket.number, "message": message}, status_code=201)


@router.post("/{number}/suggestions/{id}/refusal", status_code=201, responses=PLACED)
def refuse(ticket: TicketToWork, id: PathKey, me: Agent, s: Tx, now: Now, house: House) -> Json:
    """Make the mail a ticket of its sender's own. They get the acknowledgement that they would have got at once."""
    own = suggestions.refuse(s, ticket, id, by=me, gate=house.settings.accept_gate, now=now)
    return Json({"ticket": own.number, "message": None}, status_code=201)
