"""Tickets as a table for spreadsheets."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Response

from app.audit import actions as audit
from app.audit.models import Event
from app.core import spreadsheet
from app.tickets.search import listing
from app.tickets.search.nodes import Query
from app.web import downloads
from app.web.api import search
from app.web.desk import Desk
from app.web.door import AgentAsker, House, Route, Still, StillAgent, Tx
from app.web.shapes import answers

router = APIRouter(prefix="/api/v1", tags=["tickets"], route_class=Route)
PAGE = 500
HEAD = (
    "number", "subject", "status", "priority", "channel", "requester", "requester_email", "assignee", "organization", "team",
    "tags", "created_at", "updated_at", "resolved_at", "closed_at", "due_at", "breached",
)  # fmt: skip


@router.get("/tickets.csv", responses=answers(media="text/csv"))
def tickets(me: AgentAsker, s: Tx, house: House, still: StillAgent, q: search.Words = "", sort: search.Sort = None) -> Response:
    """The tickets that a query finds, all of them, as a table. Asking for it is recorded."""
    c = s.connection()
    query = search.wanted(c, me, house, q)
    first = listing.listing(c, me, query, sort=sort, limit=PAGE)
    audit.record(s, Event.EXPORTED, now=me.now, by=me.signature, what="tickets", form="csv", query=q)
    pieces = _pieces(house, still, query, sort, first)
    return downloads.stream(pieces, f"tickets-{me.now:%Y-%m-%d}.csv", spreadsheet.MEDIA_TYPE)


def _pieces(house: Desk, still: Still, query: Query, sort: str | None, first: bytes) -> Iterator[str]:
    yield spreadsheet.BEGIN + spreadsheet.row(HEAD)
    page = json.loads(first)
    while True:
        yield "".join(spreadsheet.row(_cells(ticket)) for ticket in page["items"])
        if page["next"] is None:
            return
        with house.db.reading() as c:
            page = json.loads(listing.listing(c, still(c), query, sort=sort, limit=PAGE, cursor=page["next"]))


def _cells(ticket: dict[str, Any]) -> list[Any]:
    requester, others = ticket["requester"], ("assignee", "organization", "team")
    names = [ticket[each] and ticket[each]["name"] for each in others]
    plain = [ticket[name] for name in HEAD[:5]]
    return [
        *plain,
        requester["name"],
        requester["email"],
        *names,
        " ".join(ticket["tags"]),
        *(ticket[name] for name in HEAD[11:]),
    ]
