"""Organizations, for programs."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.accounts import directory, organizations
from app.accounts.models import Organization
from app.db.session import Session
from app.web.answers import Told
from app.web.door import AgentAsker, Manager, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import people as shapes
from app.web.shapes.people import Cursor, Key
from app.web.stale import IfMatch, etag

router = APIRouter(prefix="/api/v1/organizations", tags=["people"], route_class=Route)

Domain = Annotated[str, Path(min_length=1, max_length=400, examples=["acme.example"])]


@router.get("", responses=answers(shapes.Organizations))
def listed(
    me: AgentAsker,
    c: Reader,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Cursor | None = None,
) -> Told:
    """Organizations by name; `q` is part of a name or of a mail domain."""
    return Told(directory.organizations(c, q=q, limit=limit, cursor=cursor))


@router.post("", status_code=201, responses=answers(shapes.Organization, 409, status=201))
def add(me: Manager, s: Tx, now: Now, body: shapes.NewOrganization) -> Told:
    """A new organization."""
    made = organizations.add(s, name=body.name, notes=body.notes, by=me, now=now)
    return _told(s, made.id, status=201)


@router.get("/{id}", responses=answers(shapes.Organization, 404))
def show(id: Key, me: AgentAsker, c: Reader) -> Told:
    """One organization."""
    return _answer(directory.organization(c, id))


@router.patch("/{id}", responses=answers(shapes.Organization, 404, 409, 412))
def change(id: Key, me: Manager, s: Tx, now: Now, match: Match, body: shapes.OrganizationChange) -> Told:
    """Change an organization's name or notes."""
    organizations.change(s, _held(s, id, match), name=body.name, notes=body.notes, by=me, now=now)
    return _told(s, id)


@router.delete("/{id}", status_code=204, responses=answers(None, 404, 409, 412, status=204))
def remove(id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Response:
    """Delete an organization that no person and no ticket belongs to."""
    organizations.remove(s, _held(s, id, match), by=me, now=now)
    return Response(status_code=204)


@router.put("/{id}/domains/{domain}", responses=answers(shapes.Organization, 404, 409, 412))
def put_domain(id: Key, domain: Domain, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """Have new senders at this mail domain join the organization. A domain belongs to one; public providers' to none."""
    organizations.put_domain(s, _held(s, id, match), domain, by=me, now=now)
    return _told(s, id)


@router.delete("/{id}/domains/{domain}", responses=answers(shapes.Organization, 404, 412))
def drop_domain(id: Key, domain: Domain, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """Have new senders at this mail domain join no more. Those who did stay."""
    organizations.drop_domain(s, _held(s, id, match), domain, by=me, now=now)
    return _told(s, id)


def _held(s: Session, id: int, match: IfMatch) -> Organization:
    found = organizations.held(s, id)
    match.check(found.revision)
    return found


def _told(s: Session, id: int, status: int = 200) -> Told:
    s.flush()
    return _answer(directory.organization(s.connection(), id), status, f"/api/v1/organizations/{id}" if status == 201 else None)


def _answer(told: directory.Told, status: int = 200, location: str | None = None) -> Told:
    headers = {"ETag": etag(told.revision)} | ({"Location": location} if location else {})
    return Told(told.json, status_code=status, headers=headers)
