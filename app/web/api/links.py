"""How tickets stand to each other, for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from app.accounts.rules import Verb
from app.tickets import links, places
from app.tickets.links import Relation
from app.web.answers import Json
from app.web.door import Agent, Asker, Now, Reader, Route, TicketToWork, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import desk as shapes

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], route_class=Route)


@router.get("/{number}/links", responses=answers(shapes.Links, 404))
def listing(number: int, me: Asker, c: Reader, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """A ticket's links, told from its own side. One whose other end you may not see is left out."""
    places.of(c, me, number, Verb.NOTE)
    return Json(page(links.listing(c, me, number), _place, limit=limit, cursor=cursor))


@router.post("/{number}/links", status_code=201, responses=answers(shapes.Links, 404, 409, 412, status=201))
def link(ticket: TicketToWork, me: Agent, s: Tx, now: Now, body: shapes.NewLink) -> Json:
    """Link a ticket to another that you may see. Parents, blocks and duplicates never close a circle."""
    links.link(s, ticket, body.relation, links.visible(s, me, body.ticket), by=me, now=now)
    s.flush()
    made = page(links.listing(s.connection(), me, ticket.number), _place, limit=links.MOST, cursor=None)
    return Json(made, status_code=201)


@router.delete("/{number}/links/{relation}/{other}", status_code=204, responses=answers(None, 404, 409, 412, status=204))
def unlink(
    ticket: TicketToWork, me: Agent, s: Tx, now: Now, relation: Relation, other: Annotated[int, Path(ge=1, le=2**63 - 1)]
) -> Response:
    """Take a link away, from either side."""
    links.unlink(s, ticket, relation, links.visible(s, me, other).number, by=me, now=now)
    return Response(status_code=204)


def _place(link: dict[str, Any]) -> tuple[str, int, str]:
    return link["linked_at"].isoformat(), link["ticket"]["number"], link["relation"].value
