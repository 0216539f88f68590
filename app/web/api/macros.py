"""Macros, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.automation import actions, queries
from app.core import text
from app.tickets.models import Channel
from app.tickets.saying import Source
from app.web.answers import Json
from app.web.door import Agent, AgentAsker, House, Match, Now, Reader, Route, TicketToWork, Tx
from app.web.shapes import answers
from app.web.shapes import desk as shapes
from app.web.shapes import tickets as ticket_shapes
from app.web.stale import etag
from app.web.telling import answer

# A token's scope goes by a route's first tag: keeping macros is the desk's, applying one is a change of a ticket.
router = APIRouter(prefix="/api/v1", route_class=Route)


@router.get("/macros", tags=["desk"], responses=answers(shapes.Macros))
def listing(
    me: AgentAsker,
    c: Reader,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Json:
    """The macros you can use, by title: your own, your teams', everybody's. `q` is in their title."""
    items, following = queries.macros(c, me, q=text.printable(q or ""), limit=limit, cursor=cursor)
    return Json({"items": items, "next": following})


@router.post("/macros", tags=["desk"], status_code=201, responses=answers(shapes.Macro, status=201))
def add(me: Agent, s: Tx, now: Now, body: shapes.NewMacro) -> Json:
    """A new macro. A team's takes a lead of it or a manager, everybody's a manager. A step that can't be is refused."""
    steps = body.steps.model_dump(mode="json", exclude_unset=True)
    made = actions.add(s, title=body.title, steps=steps, shared=body.shared_with, team_id=body.team_id, by=me, now=now)
    headers = {"Location": f"/api/v1/macros/{made.id}", "ETag": etag(made.revision)}
    return Json(queries.macro(s.connection(), me, made.id), status_code=201, headers=headers)


@router.get("/macros/{id}", tags=["desk"], responses=answers(shapes.Macro, 404))
def show(id: shapes.PathKey, me: AgentAsker, c: Reader) -> Json:
    """One macro with its steps."""
    found = queries.macro(c, me, id)
    return Json(found, headers={"ETag": etag(found["revision"])})


@router.patch("/macros/{id}", tags=["desk"], responses=answers(shapes.Macro, 404, 412))
def change(id: shapes.PathKey, me: Agent, s: Tx, now: Now, match: Match, body: shapes.MacroChange) -> Json:
    """Change a macro, or whose it is."""
    macro = actions.found(s, id, by=me)
    match.check(macro.revision)
    actions.change(s, macro, body.model_dump(mode="json", exclude_unset=True), by=me, now=now)
    s.flush()
    return Json(queries.macro(s.connection(), me, id), headers={"ETag": etag(macro.revision)})


@router.delete("/macros/{id}", tags=["desk"], status_code=204, responses=answers(None, 404, 412, status=204))
def remove(id: shapes.PathKey, me: Agent, s: Tx, now: Now, match: Match) -> Response:
    """Delete a macro. What it did stays."""
    macro = actions.found(s, id, by=me)
    match.check(macro.revision)
    actions.remove(s, macro, by=me, now=now)
    return Response(status_code=204)


@router.post("/tickets/{number}/macros/{id}", tags=["tickets"], responses=answers(ticket_shapes.Ticket, 404, 409, 412))
def apply(ticket: TicketToWork, me: Agent, s: Tx, now: Now, house: House, id: shapes.PathKey) -> Json:
    """Do all steps of a macro on a ticket, or none: a refusal names the step that could not be done, and why."""
    macro = actions.found(s, id, by=me, lock=False)
    actions.apply(s, macro, ticket, by=me, source=Source(Channel.API), url=house.settings.atum_url, now=now)
    return answer(s, ticket, me)
