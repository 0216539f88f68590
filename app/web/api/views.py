"""Saved searches, for programs."""

from typing import Any

from fastapi import APIRouter, Response

from app.accounts.identity import Identity
from app.accounts.models import Person
from app.accounts.rules import Scope
from app.tickets.search import listing, views
from app.tickets.search.values import Around
from app.tickets.search.views import Shared
from app.web.answers import Json, Told
from app.web.api.search import Sort, around, wanted
from app.web.desk import Desk
from app.web.door import Agent, AgentAsker, House, Match, Now, Reader, Route, Tx
from app.web.lists import Cursor, Limit, page
from app.web.shapes import answers
from app.web.shapes import search as shapes
from app.web.stale import etag
from app.web.zones import zone_of

router = APIRouter(prefix="/api/v1/views", route_class=Route)


@router.get("", tags=["desk"], responses=answers(shapes.Views))
def index(me: AgentAsker, c: Reader, house: House, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """The searches that I, my teams and all of us saved, with how many tickets each finds for me (counted up to 100)."""
    told = page(views.told(c, me, around(me, house), counted=False), _place, limit=limit, cursor=cursor)
    if _counts(me):
        told["items"] = views.counted(c, me, around(me, house), told["items"])
    return Json(told)


@router.post("", tags=["desk"], status_code=201, responses=answers(shapes.View, 409, status=201))
def create(me: Agent, s: Tx, now: Now, house: House, body: shapes.NewView) -> Json:
    """Save a search: for me, for a team I lead, or, as a manager, for all. `me` in its query is whoever looks."""
    made = views.add(
        s,
        name=body.name,
        query=body.query,
        sort=body.sort,
        shared=body.shared,
        team_id=body.team_id,
        position=body.position,
        by=me,
        around=_around(me, now, house),
    )
    return _view(s, me, now, house, made.id, status=201)


@router.get("/{id}", tags=["desk"], responses=answers(shapes.View, 404))
def show(me: AgentAsker, c: Reader, house: House, id: int) -> Json:
    """One of them."""
    views.one(c, me, id)
    return _answer(views.told(c, me, around(me, house), id, counted=_counts(me))[0])


@router.get("/{id}/tickets", tags=["tickets"], responses=answers(shapes.TicketRows, 404))
def tickets(
    me: AgentAsker, c: Reader, house: House, id: int, sort: Sort = None, limit: Limit = 50, cursor: Cursor = None
) -> Told:
    """The tickets it finds, in its own order or another."""
    query, own = views.one(c, me, id)
    return Told(listing.listing(c, me, wanted(c, me, house, query), sort=sort or own, limit=limit, cursor=cursor))


@router.patch("/{id}", tags=["desk"], responses=answers(shapes.View, 404, 409, 412))
def change(me: Agent, s: Tx, now: Now, house: House, match: Match, id: int, body: shapes.ViewChange) -> Json:
    """Change what is sent of it."""
    view = views.to_change(s, me, id)
    match.check(view.revision)
    views.change(s, view, body.model_dump(exclude_unset=True), by=me, around=_around(me, now, house))
    return _view(s, me, now, house, id)


@router.delete("/{id}", tags=["desk"], status_code=204, responses=answers(None, 404, 409, 412, status=204))
def delete(me: Agent, s: Tx, now: Now, match: Match, id: int) -> Response:
    """Delete it. Its tickets stay."""
    view = views.to_change(s, me, id)
    match.check(view.revision)
    views.delete(s, view, by=me, now=now)
    return Response(status_code=204)


def _place(view: dict[str, Any]) -> tuple[int, int, str, int]:
    """Mine first, then my teams', then everybody's; each as they were put, and by name."""
    return list(Shared).index(view["shared"]), view["position"], view["name"].lower(), view["id"]


def _counts(me: Identity) -> bool:
    """How many tickets there are of some kind is for those to know who may read tickets: a token may be made for less."""
    return me.allows(Scope.TICKETS_READ)


def _around(me: Person, now: Now, house: Desk) -> Around:
    return Around(now, zone_of(me, house.settings))


def _view(s: Tx, me: Person, now: Now, house: Desk, id: int, status: int = 200) -> Json:
    s.flush()
    answer = _answer(views.told(s.connection(), me, _around(me, now, house), id, counted=False)[0], status)
    if status == 201:
        answer.headers["Location"] = f"/api/v1/views/{id}"
    return answer


def _answer(view: dict[str, Any], status: int = 200) -> Json:
    return Json(view, status_code=status, headers={"ETag": etag(view["revision"])})
