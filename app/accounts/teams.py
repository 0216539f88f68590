"""Teams, and who has which part in them."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.accounts.models import Membership, Person, Team
from app.accounts.organizations import InUse, NameTaken
from app.accounts.rules import Part
from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import Session


class NotStaff(Conflict):
    """Only staff are in teams. Make them an agent first."""

    slug = "not-staff"


def held(s: Session, id: int) -> Team:
    """A team that is going to be changed, held until the transaction ends. Raises NotFound."""
    query = select(Team).where(Team.id == id).with_for_update(key_share=True)
    found = s.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound(f"There is no team {id} here.")
    return found


def add(s: Session, *, name: str, by: Person, now: datetime, description: str = "") -> Team:
    """A new team, with nobody in it. Raises NameTaken."""
    made = Team(name=_name(name), description=text.printable(description), created_at=now)
    s.add(made)
    _flush(s)
    _record(s, made, "added", by, now)
    return made


def change(s: Session, team: Team, *, by: Person, now: datetime, name: str | None = None, description: str | None = None) -> None:
    """Another name, or another description. Raises NameTaken."""
    if name is not None:
        team.name = _name(name)
    if description is not None:
        team.description = text.printable(description)
    team.revision += 1
    _flush(s)
    _record(s, team, "changed", by, now)


def archive(s: Session, team: Team, *, by: Person, now: datetime) -> None:
    """The team keeps its tickets and gets no new ones."""
    if team.archived_at is None:
        team.archived_at = now
        team.revision += 1
        _record(s, team, "archived", by, now)


def take_back(s: Session, team: Team, *, by: Person, now: datetime) -> None:
    """An archived team is one like the others again."""
    if team.archived_at is not None:
        team.archived_at = None
        team.revision += 1
        _record(s, team, "taken_back", by, now)


def remove(s: Session, team: Team, *, by: Person, now: datetime) -> None:
    """Delete a team that never had anything of its own but members. Raises InUse."""
    _record(s, team, "deleted", by, now)
    try:
        s.execute(delete(Membership).where(Membership.team_id == team.id))
        s.execute(delete(Team).where(Team.id == team.id))
    except IntegrityError:
        raise InUse("Tickets, replies, views or fields belong to this team. Archive it instead.") from None


def put_member(s: Session, team: Team, person: Person, part: Part, *, by: Person, now: datetime) -> None:
    """Give somebody of the staff a part in the team, or another one. `person` is held. Raises NotStaff."""
    if not person.staff:
        raise NotStaff
    if person.disabled_at is not None:
        raise Conflict("This person is disabled. Enable them first.")
    row = insert(Membership).values(team_id=team.id, person_id=person.id, part=part, joined_at=now)
    s.execute(row.on_conflict_do_update(index_elements=[Membership.team_id, Membership.person_id], set_={"part": part}))
    team.revision += 1
    _record(s, team, "member_put", by, now, person=person.email, part=part.value)


def drop_member(s: Session, team: Team, person_id: int, *, by: Person, now: datetime) -> None:
    """Somebody is in the team no more. Raises NotFound."""
    theirs = (Membership.team_id == team.id, Membership.person_id == person_id)
    if s.scalar(delete(Membership).where(*theirs).returning(Membership.person_id)) is None:
        raise NotFound(f"Nobody with the number {person_id} is in this team.")
    team.revision += 1
    email = s.scalar(select(Person.email).where(Person.id == person_id))
    _record(s, team, "member_removed", by, now, person=email)


def _name(raw: str) -> str:
    name = text.one_line(raw, most=200)
    if not name:
        raise Invalid("A name has at least one letter.")
    return name


def _flush(s: Session) -> None:
    try:
        s.flush()
    except IntegrityError:
        raise NameTaken("There is a team of this name already. Choose another name.") from None


def _record(s: Session, team: Team, what: str, by: Person, now: datetime, **more: Any) -> None:
    told = {"team": team.id, "name": team.name, "what": what, **more}
    audit.record(s, Event.TEAM_CHANGED, now=now, by=by.signature, **told)
