"""Canned replies, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.core import text
from app.db.session import Session
from app.knowledge import actions, queries, rules
from app.tickets import placeholders
from app.web.answers import Json
from app.web.door import Agent, AgentAsker, House, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import desk as shapes
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/canned-replies", route_class=Route)


@router.get("", tags=["desk"], responses=answers(shapes.CannedReplies))
def listing(
    me: AgentAsker,
    c: Reader,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Json:
    """The replies you can use, by title: your own, your teams', everybody's. `q` is in their title, shortcut or text."""
    items, following = queries.replies(c, me, q=text.printable(q or ""), limit=limit, cursor=cursor)
    return Json({"items": items, "next": following})


@router.post("", tags=["desk"], status_code=201, responses=answers(shapes.CannedReply, 409, status=201))
def add(me: Agent, s: Tx, now: Now, body: shapes.NewCannedReply) -> Json:
    """A new reply. A team's takes a lead of it or a manager, everybody's a manager. Unknown placeholders are refused."""
    made = actions.add(
        s,
        title=body.title,
        body=body.text,
        shortcut=body.shortcut,
        shared=body.shared_with,
        team_id=body.team_id,
        by=me,
        now=now,
    )
    told = queries.reply(s.connection(), me, made.id)
    return Json(told, status_code=201, headers={"Location": f"/api/v1/canned-replies/{made.id}", "ETag": etag(made.revision)})


@router.get("/{id}", tags=["desk"], responses=answers(shapes.CannedReply, 404))
def show(id: shapes.PathKey, me: AgentAsker, c: Reader) -> Json:
    """One reply, its placeholders as they were written."""
    told = queries.reply(c, me, id)
    return Json(told, headers={"ETag": etag(told["revision"])})


@router.get("/{id}/text", tags=["tickets"], responses=answers(shapes.FilledIn, 404))
def filled_in(
    id: shapes.PathKey, me: AgentAsker, c: Reader, house: House, ticket: Annotated[int, Query(ge=1, le=2**63 - 1)]
) -> Json:
    """A reply's text as it reads on a ticket that you may see."""
    told = queries.reply(c, me, id)
    with Session(c, autoflush=False) as s:
        known = placeholders.of_visible(s, me, ticket, name=me.name, email=me.email, url=house.settings.atum_url)
    return Json({"text": rules.fill(told["text"], known)})


@router.patch("/{id}", tags=["desk"], responses=answers(shapes.CannedReply, 404, 409, 412))
def change(id: shapes.PathKey, me: Agent, s: Tx, now: Now, match: Match, body: shapes.CannedReplyChange) -> Json:
    """Change a reply, or whose it is."""
    reply = actions.found(s, id, by=me)
    match.check(reply.revision)
    actions.change(s, reply, body.model_dump(exclude_unset=True), by=me, now=now)
    s.flush()
    return Json(queries.reply(s.connection(), me, id), headers={"ETag": etag(reply.revision)})


@router.delete("/{id}", tags=["desk"], status_code=204, responses=answers(None, 404, 412, status=204))
def remove(id: shapes.PathKey, me: Agent, s: Tx, now: Now, match: Match) -> Response:
    """Delete a reply. What was written with it stays."""
    reply = actions.found(s, id, by=me)
    match.check(reply.revision)
    actions.remove(s, reply, by=me, now=now)
    return Response(status_code=204)
