"""Saved searches: one person's, a team's, or everybody's who works here. `me` in one is whoever looks."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, true

from app.accounts.models import Person, Team
from app.accounts.rules import Actor, may_keep
from app.audit import actions as audit
from app.audit.models import Event
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.text import one_line
from app.db.session import Session
from app.tickets.models import View
from app.tickets.search import arms, conditions, names, orders
from app.tickets.search.conditions import Asked, Bound, fill
from app.tickets.search.nodes import Query
from app.tickets.search.orders import DEFAULT, OF_WORDS
from app.tickets.search.rules import QueryWrong, parse
from app.tickets.search.values import Around

MOST = 50  # views of one person, of one team, and of everybody
COUNTED = 100  # tickets, after which counting stops


class Shared(StrEnum):
    """Whose a view is."""

    ME = "me"
    TEAM = "team"
    ALL = "all"


class TooManyViews(Conflict):
    """There are as many views as there may be. Delete one first."""

    slug = "too-many-views"


def add(
    s: Session,
    *,
    name: str,
    query: str,
    sort: str | None,
    shared: Shared,
    team_id: int | None,
    position: int = 0,
    by: Person,
    around: Around,
) -> View:
    """Save a search. Raises QueryWrong and WrongSort, which point at what is wrong."""
    team = _team(s, shared, team_id)
    view = View(owner_id=by.id if shared is Shared.ME else None, team_id=team, position=position, created_at=around.now)
    if not changeable(by, owner_id=view.owner_id, team_id=team):
        raise Forbidden("A view for a team takes its lead, one for everybody a manager.")
    _lock_and_count(s, view)
    words = _understood(s, by, query, around)
    view.name, view.query = _name(name), query.strip()
    view.sort = sort or (OF_WORDS if conditions.reads_words(words) else DEFAULT)
    orders.order(view.sort, staff=True)
    s.add(view)
    s.flush()
    _record(s, view, "added", by=by, now=around.now)
    return view


def change(s: Session, view: View, values: Mapping[str, Any], *, by: Person, around: Around) -> None:
    """Change what is given of it."""
    if "query" in values:
        _understood(s, by, values["query"], around)
        view.query = values["query"].strip()
    if "sort" in values:
        view.sort = orders.order(values["sort"], staff=True).said
    if "name" in values:
        view.name = _name(values["name"])
    view.position = values.get("position", view.position)
    view.revision += 1
    _record(s, view, "changed", by=by, now=around.now)


def delete(s: Session, view: View, *, by: Person, now: datetime) -> None:
    """It is gone; its tickets are not."""
    _record(s, view, "deleted", by=by, now=now)
    s.delete(view)


def to_change(s: Session, actor: Actor, id: int) -> View:
    """A view, locked. Raises NotFound and Forbidden."""
    found = s.scalar(select(View).where(View.id == id, _visible_to(actor)).with_for_update())
    if found is None:
        raise NotFound("There is no such view here.")
    if not changeable(actor, owner_id=found.owner_id, team_id=found.team_id):
        raise Forbidden("This view isn't yours to change: a team's is its lead's, everybody's a manager's.")
    return found


def changeable(actor: Actor, *, owner_id: int | None, team_id: int | None) -> bool:
    """Whether this person may change such a view."""
    return owner_id == actor.id if owner_id is not None else may_keep(actor, team_id)


def told(c: Connection, actor: Actor, around: Around, id: int | None = None, *, counted: bool) -> list[dict[str, Any]]:
    """The views this person may see (or the one), where `counted` with how many tickets are in each.

    Three statements at most, however many they are.
    """
    query = (
        select(View, Team.name.label("team"))
        .outerjoin(Team, Team.id == View.team_id)
        .where(_visible_to(actor), View.id == id if id is not None else true())
        .order_by(View.owner_id.is_(None), View.team_id.is_(None), View.position, func.lower(View.name), View.id)
    )
    rows = [dict(row) for row in c.execute(query).mappings()]
    counts = _counts(c, actor, around, {row["id"]: row["query"] for row in rows}) if counted else {}
    return [_told(row, actor, counts.get(row["id"])) for row in rows]


def counted(c: Connection, actor: Actor, around: Around, told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """These views, told without, with how many tickets are in each."""
    counts = _counts(c, actor, around, {view["id"]: view["query"] for view in told})
    return [view | {"count": _at_most(counts.get(view["id"]))} for view in told]


def one(c: Connection, actor: Actor, id: int) -> tuple[str, str]:
    """The query and the order of a view. Raises NotFound."""
    row = c.execute(select(View.query, View.sort).where(View.id == id, _visible_to(actor))).one_or_none()
    if row is None:
        raise NotFound("There is no such view here.")
    return row.query, row.sort


def _told(row: dict[str, Any], actor: Actor, count: int | None) -> dict[str, Any]:
    shared = Shared.ME if row["owner_id"] else Shared.TEAM if row["team_id"] else Shared.ALL
    return {
        **{name: row[name] for name in ("id", "name", "query", "sort", "position", "created_at", "revision")},
        "shared": shared,
        "team": {"id": row["team_id"], "name": row["team"]} if row["team_id"] else None,
        "changeable": changeable(actor, owner_id=row["owner_id"], team_id=row["team_id"]),
        "count": _at_most(count),
    }


def _at_most(count: int | None) -> dict[str, Any] | None:
    return None if count is None else {"count": min(count, COUNTED), "more": count > COUNTED}


_COUNT = "SELECT {id} AS id, (SELECT count(*) FROM (SELECT FROM {source} WHERE {where} LIMIT {most}) AS them) AS found"
_COUNT_BY_WORDS = "SELECT {id} AS id, (WITH {steps} SELECT count(*) FROM found) AS found"


def _counts(c: Connection, actor: Actor, around: Around, queries: Mapping[int, str]) -> dict[int, int]:
    parsed = {}
    for id, written in queries.items():
        with suppress(QueryWrong):  # it was saved under other rules
            parsed[id] = parse(written, around)
    understood = dict(zip(parsed, names.all_understood(c, actor, list(parsed.values())), strict=True))
    bound = Bound()
    counts = [_count(actor, id, query, bound) for id, query in understood.items() if isinstance(query, Query)]
    return {row.id: row.found for row in c.execute(text(" UNION ALL ".join(counts)), bound.values)} if counts else {}


def _count(actor: Actor, id: int, query: Query, bound: Bound) -> str:
    if conditions.reads_words(query) and not query.names:  # as the list finds them, which stops as soon as there are enough
        page = arms.Page(Asked(actor), query, orders.order(OF_WORDS, staff=True), COUNTED, None, None, bound)
        return fill(_COUNT_BY_WORDS, id=str(id), steps=arms.statement(page))
    where = [*conditions.visible(actor, bound), *conditions.hidden(query, actor)]
    where += conditions.others(query, Asked(actor), bound, with_words=True)
    source = "ticket t JOIN ticket_text tt ON tt.ticket = t.number" if conditions.reads_words(query) else "ticket t"
    return fill(_COUNT, id=str(id), source=source, where=" AND ".join(where) or "true", most=str(COUNTED + 1))


def _visible_to(actor: Actor) -> ColumnElement[bool]:
    """Mine, my teams' (a manager's are all), and everybody's."""
    teams = View.team_id.is_not(None) if actor.role.manages else View.team_id.in_(sorted(actor.teams))
    return or_(View.owner_id == actor.id, and_(View.owner_id.is_(None), or_(View.team_id.is_(None), teams)))


def _team(s: Session, shared: Shared, team_id: int | None) -> int | None:
    if (shared is Shared.TEAM) != (team_id is not None):
        raise Invalid("Say team_id for a team's view, and for no other.")
    if team_id is not None and s.scalar(select(Team.id).where(Team.id == team_id, Team.archived_at.is_(None))) is None:
        raise Invalid("There is no such team.")
    return team_id


def _understood(s: Session, by: Person, query: str, around: Around) -> Query:
    """The query, every name in it known. Raises QueryWrong."""
    return names.understood(s.connection(), by, parse(query, around))


def _lock_and_count(s: Session, view: View) -> None:
    alike = and_(View.owner_id.is_not_distinct_from(view.owner_id), View.team_id.is_not_distinct_from(view.team_id))
    if len(s.scalars(select(View.id).where(alike).with_for_update()).all()) >= MOST:
        raise TooManyViews(f"There are {MOST} views of this kind already. Delete one first.")


def _name(raw: str) -> str:
    name = one_line(raw, most=100)
    if not name:
        raise Invalid("A view needs a name.")
    return name


def _record(s: Session, view: View, what: str, *, by: Person, now: datetime) -> None:
    told: dict[str, Any] = {"view": view.id, "name": view.name, "query": view.query, "sort": view.sort, "team": view.team_id}
    audit.record(s, Event.VIEW_CHANGED, now=now, by=by.signature, what=what, private=view.owner_id is not None, **told)
