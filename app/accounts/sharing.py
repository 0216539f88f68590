"""Things that people keep for themselves, for their team or for everybody who works here: replies, macros, saved searches."""

from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, or_, true

from app.accounts.models import Team
from app.accounts.rules import Actor, may_keep
from app.core.errors import Forbidden, Invalid
from app.db.session import Session


class SharedWith(StrEnum):
    """Whose something is: mine alone, my team's, or everybody's."""

    ME = "me"
    TEAM = "team"
    ALL = "all"


class Kept(Protocol):
    """Whatever has an owner, or a team, or neither: then it is everybody's."""

    owner_id: Any
    team_id: Any


def visible_to(actor: Actor, kept: type[Kept]) -> ColumnElement[bool]:
    """The condition for what this person may use: their own, their teams' (a manager's are all), everybody's."""
    if not actor.role.staff:
        raise Forbidden
    teams = true() if actor.role.manages else or_(kept.team_id.is_(None), kept.team_id.in_(sorted(actor.teams)))
    return or_(kept.owner_id == actor.id, and_(kept.owner_id.is_(None), teams))


def may_change(actor: Actor, *, owner_id: int | None, team_id: int | None) -> bool:
    """Whether they may change it: its owner alone, else whoever keeps what the team or everybody shares."""
    return owner_id == actor.id if owner_id is not None else may_keep(actor, team_id)


def require_change(actor: Actor, thing: Kept) -> None:
    """Raises Forbidden."""
    if not may_change(actor, owner_id=thing.owner_id, team_id=thing.team_id):
        whose = "a team's shared things: its leads and managers do" if thing.team_id else "what everybody shares: managers do"
        raise Forbidden(f"You may not change {whose}.")


def place(s: Session, actor: Actor, thing: Kept, shared: SharedWith, team_id: int | None) -> None:
    """Make it mine, a team's or everybody's. Raises Forbidden where it isn't mine to do, Invalid for no such team."""
    if (shared is SharedWith.TEAM) != (team_id is not None):
        raise Invalid("Say the team in team_id where shared_with is team, and only there.")
    team = s.get(Team, team_id) if team_id is not None else None
    if team_id is not None and (team is None or team.archived_at):
        raise Invalid(f"There is no team {team_id}.")
    thing.owner_id = actor.id if shared is SharedWith.ME else None
    thing.team_id = team_id
    require_change(actor, thing)


def told(actor: Actor, row: Any) -> dict[str, Any]:
    """Whose it is, for programs. `row` has owner_id, team_id and the team's name as `team`."""
    shared = SharedWith.ME if row.owner_id is not None else SharedWith.TEAM if row.team_id is not None else SharedWith.ALL
    return {
        "shared_with": shared,
        "team": {"id": row.team_id, "name": row.team} if row.team_id is not None else None,
        "may_change": may_change(actor, owner_id=row.owner_id, team_id=row.team_id),
    }


def whose(thing: Kept) -> dict[str, Any]:
    """Whose it is, for the audit."""
    return {"owner": thing.owner_id, "team": thing.team_id}
