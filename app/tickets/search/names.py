"""Whom and what the names in queries mean: one statement for all of them, so that the list itself knows ids and nothing else.

Who works here is told where there is nobody of a name. A customer's names only ever mean themselves, their colleagues and
their own organization, and a name that is none of these means nothing, without a word about it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, text

from app.accounts.rules import Actor, Role
from app.tickets.search.conditions import Bound, fill
from app.tickets.search.nodes import ME, MINE, NONE, All, Either, Filter, Node, Not, Query, walk
from app.tickets.search.rules import QueryWrong
from app.tickets.search.values import nearest

NOBODY = 0  # the id of nobody and nothing
_PEOPLE = ("assignee", "requester", "watching", "mentions")
_WORDS = {**dict.fromkeys(_PEOPLE, "person"), "org": "organization", "team": "team"}
_FIND = "SELECT CAST(:n{i} AS int) AS n, x.id, x.name FROM {table} x WHERE {test} LIMIT 200"
_OF_STAFF = " AND x.role IN ('agent', 'manager', 'admin')"
_ANY_NAME = "(lower(x.name) = :v OR :v = ANY(string_to_array(lower(x.name), ' ')))"
_KNOWN = {
    "team": "SELECT name FROM team WHERE archived_at IS NULL LIMIT 500",
    "org": "SELECT name FROM organization LIMIT 5000",
    "assignee": "SELECT name FROM person WHERE role IN ('agent', 'manager', 'admin') LIMIT 1000",
}
Meant = dict[tuple[str, str], tuple[int, ...]]


def understood(c: Connection, actor: Actor, query: Query) -> Query:
    """The query with ids instead of names. Raises QueryWrong, which points at a name that nobody has."""
    found = all_understood(c, actor, [query])[0]
    if isinstance(found, QueryWrong):
        raise found
    return found


def all_understood(c: Connection, actor: Actor, queries: Sequence[Query]) -> list[Query | QueryWrong]:
    """The same for several at once, each of which may be wrong."""
    named = sorted({each for query in queries for each in _named(query)})
    meant = _meant(c, actor, named) if named else {}
    return [_with_ids(c, actor, query, meant) for query in queries]


def _with_ids(c: Connection, actor: Actor, query: Query, meant: Meant) -> Query | QueryWrong:
    if actor.role.staff:
        for node in walk(query.wanted):
            if isinstance(node, Filter):
                for name, value in _names(node):
                    if not meant.get((name, value)) and not value.endswith("*"):
                        return _nobody(c, query, node, value)
    wanted = _replaced(query.wanted, {key: _seen(actor, key[0], ids) for key, ids in meant.items()})
    assert isinstance(wanted, All)
    return replace(query, wanted=wanted)


def _seen(actor: Actor, name: str, ids: tuple[int, ...]) -> tuple[int, ...]:
    """Without the teams of which this person sees no ticket anyway: there is nothing to look through for them."""
    return ids if name != "team" or actor.role.manages else tuple(id for id in ids if id in actor.teams)


def _named(query: Query) -> Iterable[tuple[str, str]]:
    return (each for node in walk(query.wanted) if isinstance(node, Filter) for each in _names(node))


def _names(node: Filter) -> list[tuple[str, str]]:
    if node.name not in _WORDS:
        return []
    return [(node.name, value) for value in node.values if isinstance(value, str) and value not in {ME, NONE, MINE}]


def _replaced(node: Node, meant: Meant) -> Node:
    match node:
        case Not(of):
            return Not(_replaced(of, meant))
        case All(of):
            return All(tuple(_replaced(each, meant) for each in of))
        case Either(of):
            return Either(tuple(_replaced(each, meant) for each in of))
        case Filter() if names := dict.fromkeys(value for _, value in _names(node)):
            others = tuple(value for value in node.values if value not in names)
            ids = tuple(id for value in names for id in meant.get((node.name, value), ()))
            return replace(node, values=(*others, *(dict.fromkeys(ids or (NOBODY,)))))
    return node


def _meant(c: Connection, actor: Actor, named: Sequence[tuple[str, str]]) -> Meant:
    bound, parts = Bound(), []
    for i, (name, value) in enumerate(named):
        bound.values[f"n{i}"] = i
        test = _test(name, value.removeprefix('"'), bound) + _allowed(actor, name, bound)
        parts.append("(" + fill(_FIND, i=str(i), table=_WORDS[name], test=test) + ")")
    found: dict[tuple[str, str], list[int]] = {}
    for row in c.execute(text(" UNION ALL ".join(parts)), bound.values):
        found.setdefault(named[row.n], []).append(row.id)
    return {name: tuple(sorted(ids)) for name, ids in found.items()}


def _test(name: str, value: str, bound: Bound) -> str:
    if value.endswith("*"):
        like = value[:-1].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        return bound.fill("lower(x.name) LIKE :v", like)
    if name in {"org", "team"}:
        return bound.fill("lower(x.name) = :v", value)
    return bound.fill("x.email = :v" if "@" in value else _ANY_NAME, value)


def _allowed(actor: Actor, name: str, bound: Bound) -> str:
    """Whom this person may mean by a name at all."""
    if actor.role.manages or (actor.role.staff and name != "team"):
        return _OF_STAFF if name in {"assignee", "mentions"} else ""
    if actor.role.staff:
        return ""
    if name == "org":
        return bound.fill(" AND x.id = :v", actor.organization_id)
    if actor.role is Role.CUSTOMER_ADMIN:
        return bound.fill(" AND (x.id = :v", actor.id) + bound.fill(" OR x.organization_id = :v)", actor.organization_id)
    return bound.fill(" AND x.id = :v", actor.id)


def _nobody(c: Connection, query: Query, node: Filter, value: str) -> QueryWrong:
    value = value.removeprefix('"')
    known = _KNOWN.get(node.name)
    near = nearest(value, {name.lower() for name in c.scalars(text(known))}) if known else None
    shown = f'"{near}"' if near and " " in near else near
    what = f"there is no {_WORDS[node.name]} called {value[:60]!r}"
    return QueryWrong(query.text, node.start, node.end, what, f"{node.name}:{shown}" if shown else None)
