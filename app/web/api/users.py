"""People, for programs."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.accounts import actions as accounts
from app.accounts import directory, factors, queries
from app.accounts.directory import Wanted
from app.accounts.models import Person
from app.accounts.rules import Role
from app.core.errors import NotFound
from app.db.session import Session
from app.outbox.house import house as letters
from app.people import actions as people
from app.web.answers import Told
from app.web.door import CustomerAdminAsker, House, Manager, Match, Now, Reader, Route, Tx
from app.web.shapes import answers
from app.web.shapes import people as shapes
from app.web.shapes.people import Cursor, Key
from app.web.stale import IfMatch, etag

router = APIRouter(prefix="/api/v1/users", tags=["people"], route_class=Route)


@router.get("", responses=answers(shapes.People))
def listed(
    me: CustomerAdminAsker,
    c: Reader,
    q: Annotated[str | None, Query(max_length=200)] = None,
    role: Role | None = None,
    organization_id: Key | None = None,
    team_id: Key | None = None,
    disabled: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Cursor | None = None,
) -> Told:
    """People by name: everybody for the staff, those of the own organization for a customer's administrator."""
    return Told(directory.people(c, me, Wanted(q, role, organization_id, team_id, disabled), limit=limit, cursor=cursor))


@router.post("", status_code=201, responses=answers(shapes.Person, 409, status=201))
def invite(me: Manager, s: Tx, now: Now, house: House, body: shapes.Invitation) -> Told:
    """Add somebody and mail them a link to choose a password with. It is good for 72 hours and once."""
    made = people.invite(
        s,
        letters(house.settings, house.signer),
        email=body.email,
        name=body.name,
        role=body.role,
        organization_id=body.organization_id,
        by=me,
        now=now,
    )
    return _told(s, me, made.id, status=201)


@router.get("/{id}", responses=answers(shapes.Person, 404))
def show(id: Key, me: CustomerAdminAsker, c: Reader) -> Told:
    """One person."""
    return _answer(directory.person(c, me, id))


@router.patch("/{id}", responses=answers(shapes.Person, 404, 409, 412))
def change(id: Key, me: Manager, s: Tx, now: Now, match: Match, house: House, body: shapes.PersonChange) -> Told:
    """Change somebody's name, address, role, organization or time zone. Managers do so below themselves, administrators for all.

    Another role ends the person's sessions, one that may less their API tokens too. The old address is told of a new one.
    """
    person = _held(s, id, match)
    if body.email is not None:
        people.change_address(s, letters(house.settings, house.signer), person, body.email, by=me, now=now)
    if body.name is not None:
        accounts.rename(s, person, body.name, by=me, now=now)
    if "organization_id" in body.model_fields_set:
        accounts.move(s, person, body.organization_id, by=me, now=now)
    if "zone" in body.model_fields_set:
        accounts.set_zone(s, person, body.zone, by=me, now=now)
    if body.role is not None:
        accounts.set_role(s, person, body.role, by=me, now=now)
    return _told(s, me, id)


@router.post("/{id}/disablement", responses=answers(shapes.Person, 404, 409, 412))
def disable(id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """Let nobody in as this person any more. Their sessions, API tokens and mailed links end at once."""
    accounts.disable(s, _held(s, id, match), by=me, now=now)
    return _told(s, me, id)


@router.delete("/{id}/disablement", responses=answers(shapes.Person, 404, 412))
def enable(id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """Let a disabled person sign in again. What ended stays ended."""
    accounts.enable(s, _held(s, id, match), by=me, now=now)
    return _told(s, me, id)


@router.delete("/{id}/second-factors", responses=answers(shapes.Person, 404, 409, 412))
def forget_factors(id: Key, me: Manager, s: Tx, now: Now, match: Match) -> Told:
    """For whoever lost phone and recovery codes: remove their authenticator app and passkeys. Their sessions end."""
    factors.forget_all(s, _held(s, id, match), by=me, now=now)
    return _told(s, me, id)


@router.post("/{id}/invitation", status_code=202, responses=answers(shapes.Person, 404, 409, 412, status=202))
def invite_again(id: Key, me: Manager, s: Tx, now: Now, match: Match, house: House) -> Told:
    """Mail another invitation to somebody who has no password yet. The one before ends."""
    person = _held(s, id, match)
    people.invite_again(s, letters(house.settings, house.signer), house.counters, person, by=me, now=now)
    return _told(s, me, id, status=202)


def _held(s: Session, id: int, match: IfMatch) -> Person:
    found = queries.by_id(s, id)
    if found is None:
        raise NotFound(f"There is nobody with the number {id} here.")
    match.check(found.revision)
    return found


def _told(s: Session, me: Person, id: int, status: int = 200) -> Told:
    s.flush()
    return _answer(directory.person(s.connection(), me, id), status, f"/api/v1/users/{id}" if status == 201 else None)


def _answer(told: directory.Told, status: int = 200, location: str | None = None) -> Told:
    headers = {"ETag": etag(told.revision)} | ({"Location": location} if location else {})
    return Told(told.json, status_code=status, headers=headers)
