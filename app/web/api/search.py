"""Finding tickets, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.accounts.identity import Identity
from app.tickets.rules import Status
from app.tickets.search import listing, names, rules, suggestions
from app.tickets.search.nodes import All, Filter
from app.tickets.search.nodes import Query as Wanted
from app.tickets.search.values import Around
from app.web.answers import Json, Told
from app.web.desk import Desk
from app.web.door import Asker, House, Reader, Route
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import search as shapes
from app.web.zones import zone_of

router = APIRouter(prefix="/api/v1", tags=["tickets"], route_class=Route)

Sort = Annotated[str | None, Query(max_length=40, description="A column; - in front turns it round", examples=["-updated"])]
Words = Annotated[str, Query(description="What to find", examples=["status:open assignee:me printer"])]
Id = Annotated[int | None, Query(ge=1, lt=2**63)]


@router.get("/tickets", responses=answers(shapes.TicketRows))
def index(
    me: Asker,
    c: Reader,
    house: House,
    q: Words = "",
    status: Annotated[list[Status] | None, Query(max_length=7)] = None,
    assignee_id: Id = None,
    sort: Sort = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Told:
    """Tickets I may see: last changed first, or by words the newest first. Leaves out the trash, merged and sleeping ones."""
    query = with_filters(wanted(c, me, house, q), status or [], assignee_id)
    return Told(listing.listing(c, me, query, sort=sort, limit=limit, cursor=cursor))


@router.get("/search", responses=answers(shapes.TicketRows))
def search(me: Asker, c: Reader, house: House, q: Words, sort: Sort = None, limit: Limit = 50, cursor: Cursor = None) -> Told:
    """Tickets that a query finds. A number alone (`123`, `#123`, `Ticket#123`) has the ticket of that number first."""
    return Told(listing.listing(c, me, wanted(c, me, house, q), sort=sort, limit=limit, cursor=cursor, number_first=True))


@router.get("/search/suggestions", responses=answers(shapes.Suggestions))
def suggest(
    me: Asker,
    c: Reader,
    house: House,
    q: Annotated[str, Query(max_length=rules.LONGEST)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Json:
    """What the last word of a query may become: a filter, one of its values, a ticket."""
    found = suggestions.suggestions(c, me, q, around(me, house))
    place = {each["text"]: at for at, each in enumerate(found)}
    return Json(page(found, lambda each: (place[each["text"]],), limit=limit, cursor=cursor))


def around(me: Identity, house: Desk) -> Around:
    """What a query is read by."""
    return Around(me.now, zone_of(me, house.settings), me.staff)


def wanted(c: Reader, me: Identity, house: Desk, q: str) -> Wanted:
    """A query, read and understood. Raises QueryWrong."""
    return names.understood(c, me, rules.parse(q, around(me, house)))


def with_filters(query: Wanted, status: list[Status], assignee_id: int | None) -> Wanted:
    """The query, and what was asked for by parameters of their own."""
    more = [Filter("status", tuple(each.value for each in Status if each in status))] if status else []
    if assignee_id is not None:
        more.append(Filter("assignee_id", (assignee_id,)))
    return Wanted(All((*query.wanted.of, *more)), None if more else query.number, query.text)
