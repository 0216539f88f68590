"""Teams, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.accounts import directory, queries, teams
from app.accounts.models import Team
from app.core.errors import NotFound
from app.db.session import Session
from app.web.answers import Told
from app.web.door import AgentAsker, Manager, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import people as shapes
from app.web.shapes.people import Cursor, Key
from app.web.stale import IfMatch, etag

router = APIRouter(prefix="/api/v1/teams", tags=["people"], route_class=Route)


@router.get("", responses=answers(shapes.Teams))
def listed(
    me: AgentAsker,
    c: Reader,
    archived: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Cursor | None = None,
) -> Told:
    """Teams with their members, by name; `archived` picks those that are or those that aren't."""
    return Told(directory.teams(c, archived=archived, limit=limit, cursor=cursor))


@router.post("", status_code=201, responses=answers(shapes.Team, 409, status=201))
def add(me: Manager, s: Tx, now: Now, body: shapes.NewTeam) -> Told:
    """A new team, with nobody in it."""
    return _told(s, teams.add(s, name=body.name, description=body.description, by=me, now=now).id, status=201)


@router.get("/{id}", responses=answers(shapes.Team, 404))
def show(id: Key, me: AgentAsker, c: Reader) -> Told:
    """One team with its members."""
    return _answer(directory.team(c, id))


@router.patch("/{id}", responses=answers(shapes.Team, 404, 409, 412))
def change(id: Key, me: Manager, s: Tx, now: Now, match: Match, body: shapes.TeamChange) -> Told:
    """Change a team's name or description."""
    teams.change(s, _held(s, id, match), name=body.name, description=body.description, by=me, now=now)
    return _told(s, id)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, 409, 412, status=204))
def remove(id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Response:
    """Delete a team to which nothing belongs but its members."""
    teams.remove(s, _held(s, id, match), by=me, now=now)
    return Response(status_code=204)


@router.post("/{id}/archival", responses=answers(shapes.Team, 404, 412))
def archive(id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """Archive a team: it keeps its tickets and gets no new ones."""
    teams.archive(s, _held(s, id, match), by=me, now=now)
    return _told(s, id)


@router.delete("/{id}/archival", responses=answers(shapes.Team, 404, 412))
def take_back(id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """Take a team back from the archive."""
    teams.take_back(s, _held(s, id, match), by=me, now=now)
    return _told(s, id)


@router.put("/{id}/members/{person_id}", responses=answers(shapes.Team, 404, 409, 412))
def put_member(id: Key, person_id: Key, me: Manager, s: Tx, now: Now, match: Match, body: shapes.Membership) -> Told:
    """Give somebody of the staff a part in the team, or another one."""
    team, person = _held(s, id, match), queries.by_id(s, person_id)
    if person is None:
        raise NotFound(f"There is nobody with the number {person_id} here.")
    teams.put_member(s, team, person, body.part, by=me, now=now)
    return _told(s, id)


@router.delete("/{id}/members/{person_id}", responses=answers(shapes.Team, 404, 412))
def drop_member(id: Key, person_id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """Take somebody out of the team."""
    teams.drop_member(s, _held(s, id, match), person_id, by=me, now=now)
    return _told(s, id)


def _held(s: Session, id: int, match: IfMatch) -> Team:
    found = teams.held(s, id)
    match.check(found.revision)
    return found


def _told(s: Session, id: int, status: int = 200) -> Told:
    s.flush()
    return _answer(directory.team(s.connection(), id), status, f"/api/v1/teams/{id}" if status == 201 else None)


def _answer(told: directory.Told, status: int = 200, location: str | None = None) -> Told:
    headers = {"ETag": etag(told.revision)} | ({"Location": location} if location else {})
    return Told(told.json, status_code=status, headers=headers)
