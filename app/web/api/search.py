"""Finding tickets, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.tickets import queries
from app.tickets.queries import Wanted
from app.tickets.rules import Status
from app.web.answers import Json
from app.web.door import Asker, Reader, Route

router = APIRouter(prefix="/api/v1", tags=["tickets"], route_class=Route)


@router.get("/tickets")
def index(
    me: Asker,
    c: Reader,
    status: Annotated[list[Status] | None, Query()] = None,
    assignee_id: int | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: str | None = None,
) -> Json:
    """Tickets I may see, last changed first."""
    wanted = Wanted(status=tuple(status or ()), assignee_id=assignee_id)
    found = queries.listing(c, me, wanted, limit=limit, cursor=cursor)
    return Json({"items": found.items, "next": found.next})
