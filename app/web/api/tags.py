"""Tags, for programs. A tag is made by using it; describing, renaming and deleting takes a manager."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.accounts.rules import Scope
from app.tickets import tags
from app.tickets.models import Tag
from app.web.answers import Json
from app.web.door import AgentAsker, Manager, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import carried as shapes
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/tags", tags=["desk"], route_class=Route)


@router.get("", responses=answers(shapes.Tags))
def listed(
    me: AgentAsker,
    c: Reader,
    prefix: Annotated[str, Query(max_length=tags.LONGEST)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=tags.LONGEST)] = None,
) -> Json:
    """Tags by name, those that begin with `prefix`; each with how many tickets you see it on.

    A token without tickets:read is not told how many.
    """
    found = tags.listed(c, me, prefix=prefix.lower(), limit=limit, cursor=cursor)
    if not me.allows(Scope.TICKETS_READ):
        found["items"] = [{**tag, "tickets": None} for tag in found["items"]]
    return Json(found)


@router.post("", status_code=201, responses=answers(shapes.Tag, 409, status=201))
def make(me: Manager, s: Tx, now: Now, body: shapes.NewTag) -> Json:
    """Make a tag before anybody uses it."""
    made = tags.make(s, body.name, description=body.description, by=me, now=now)
    return _answer(made, 201)


@router.patch("/{name}", responses=answers(shapes.Tag, 404, 412))
def change(name: str, me: Manager, s: Tx, now: Now, match: Match, body: shapes.TagChange) -> Json:
    """Describe or rename it. A name that exists already makes the two one, on every ticket."""
    renames = "name" in body.model_fields_set and tags.normal(body.name) != name
    match.check(tags.to_change(s, name, everywhere=renames).revision)
    if "description" in body.model_fields_set:
        tags.describe(s, name, description=body.description, by=me, now=now)
    return _answer(tags.rename(s, name, to=body.name if renames else name, by=me, now=now))


@router.delete("/{name}", status_code=204, responses=answers(None, 404, 412, status=204))
def drop(name: str, me: Manager, s: Tx, now: Now, match: Match) -> Response:
    """Delete it, and take it off every ticket."""
    match.check(tags.to_change(s, name, everywhere=True).revision)
    tags.drop(s, name, by=me, now=now)
    return Response(status_code=204)


def _answer(tag: Tag, status: int = 200) -> Json:
    told = {name: getattr(tag, name) for name in ("name", "description", "created_at", "revision")}
    return Json(told, status_code=status, headers={"ETag": etag(tag.revision)})
