"""Custom fields, for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.accounts.models import Team
from app.db.session import Session
from app.tickets import field_list
from app.tickets.models import Field
from app.web.answers import Json
from app.web.door import Agent, AgentAsker, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import carried as shapes
from app.web.stale import etag

router = APIRouter(prefix="/api/v1/custom-fields", tags=["desk"], route_class=Route)


@router.get("", responses=answers(shapes.CustomFields))
def listed(
    me: AgentAsker,
    c: Reader,
    team_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    archived: bool = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
) -> Json:
    """The fields of your teams and of all; with `team_id` those that its tickets have; `archived` ones where you ask for them."""
    return Json(field_list.listed(c, me, team_id=team_id, archived=archived, limit=limit, cursor=cursor))


@router.post("", status_code=201, responses=answers(shapes.CustomField, 409, status=201))
def add(me: Agent, s: Tx, now: Now, body: shapes.NewField) -> Json:
    """Add one: to a team's tickets as its lead or a manager, to all tickets as a manager."""
    made = field_list.add(s, by=me, now=now, **body.model_dump())
    return _answer(s, made, status=201)


@router.patch("/{id}", responses=answers(shapes.CustomField, 404, 412))
def change(id: int, me: Agent, s: Tx, now: Now, match: Match, body: shapes.FieldChange) -> Json:
    """Change or archive one. Values that tickets have stay as they are."""
    field = field_list.by_id(s, me, id)
    match.check(field.revision)
    field_list.change(s, field, by=me, now=now, **body.said)
    return _answer(s, field)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, 409, 412, status=204))
def drop(id: int, me: Agent, s: Tx, now: Now, match: Match) -> Response:
    """Delete one that no ticket has a value in."""
    field = field_list.by_id(s, me, id)
    match.check(field.revision)
    field_list.drop(s, field, by=me, now=now)
    return Response(status_code=204)


def _answer(s: Session, field: Field, *, status: int = 200) -> Json:
    team = s.get(Team, field.team_id) if field.team_id else None
    row: dict[str, Any] = {column.key: getattr(field, column.key) for column in Field.__table__.c}
    return Json(field_list.told(row, team.name if team else None), status_code=status, headers={"ETag": etag(field.revision)})
