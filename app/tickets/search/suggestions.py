"""What the last word of a query may become while it is being typed: filters, their values, and tickets.

One statement at most, and never anything that a list would not show its asker either: customers are only ever proposed their
own organization's people, and tickets are found the way lists find them.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from app.accounts.rules import Actor, Role
from app.core.priority import Priority
from app.tickets.rules import Status
from app.tickets.search import listing, rules, values
from app.tickets.search.conditions import Bound, fill
from app.tickets.search.nodes import All, Query, Words
from app.tickets.search.values import Around

MOST = 10
LONGEST = 100  # characters of a word that is completed
_PEOPLE = """SELECT 'person' AS kind, x.email AS value, x.name || ' <' || x.email || '>' AS label FROM person x
    WHERE (lower(x.name) LIKE :v OR x.email LIKE :v OR lower(x.name) LIKE '% ' || :v) AND x.disabled_at IS NULL{which}
    ORDER BY lower(x.name), x.id LIMIT {most}"""
_NAMED = """SELECT '{table}' AS kind, x.name AS value, x.name AS label FROM {table} x
    WHERE lower(x.name) LIKE :v{which} ORDER BY lower(x.name) LIMIT {most}"""
_OF_STAFF = " AND x.role IN ('agent', 'manager', 'admin')"
_FIXED = {
    "status": ("open", "done", *(each.value for each in Status)),
    "priority": tuple(each.value for each in Priority),
    "channel": values.CHANNELS,
    "has": ("attachment",),
    "in": ("trash",),
    "created": ("today", "yesterday", "7d", "30d"),
}
_FIXED |= dict.fromkeys(("updated", "resolved", "closed"), _FIXED["created"])
_WORDS = {"assignee": ("me", "none"), "team": ("mine", "none"), "tag": ("none",), "watching": ("me",), "mentions": ("me",)}
_WORDS |= {"requester": ("me",), "org": ("none",)}


@dataclass(frozen=True)
class Typed:
    """The last word so far: `before` stays as it is, `name` is the filter it belongs to."""

    before: str
    name: str | None
    part: str


def suggestions(c: Connection, actor: Actor, query: str, around: Around) -> list[dict[str, str]]:
    """What the last word may become, the likeliest first."""
    typed = _typed(query)
    known = rules.known_to(around)
    if typed.name is not None:
        return _values(c, actor, typed, around)[:MOST] if typed.name in known else []
    found = [
        _said("filter", f"{typed.before}{name}:", f"{name}:") for name in known if typed.part and name.startswith(typed.part)
    ]
    return [*found, *_tickets(c, actor, typed.part)][:MOST]


def _typed(query: str) -> Typed:
    last = re.split(r"\s+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", query[-LONGEST:])[-1]
    minus, last = ("-", last[1:]) if last.startswith("-") else ("", last)
    name, colon, part = last.partition(":")
    if colon and name.lower().isidentifier():
        return Typed(minus, name.lower(), part.strip('"').lower())
    return Typed(minus, None, last.strip('"').lower())


def _values(c: Connection, actor: Actor, typed: Typed, around: Around) -> list[dict[str, str]]:
    name, part = str(typed.name), typed.part
    fixed = (*_FIXED.get(name, ()), *(_WORDS.get(name, ()) if actor.role.staff else ()))
    if name == "is":
        fixed = values.FLAGS if around.staff else values.OF_CUSTOMERS
    found = [_said("value", f"{typed.before}{name}:{word}", word) for word in fixed if word.startswith(part)]
    bound = Bound()
    statement = _statement(actor, name, bound)
    if statement is None:
        return found
    bound.values["v"] = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    rows = c.execute(text(statement), bound.values).all()
    return [*found, *(_said(row.kind, f"{typed.before}{name}:{_quoted(row.value)}", row.label) for row in rows)]


def _statement(actor: Actor, name: str, bound: Bound) -> str | None:
    most = str(MOST)
    if name in {"assignee", "mentions", "watching", "requester"}:
        staff = name in {"assignee", "mentions"}
        return fill(_PEOPLE, most=most, which=_people(actor, bound) + (_OF_STAFF if staff else ""))
    if name == "org":
        own = "" if actor.role.staff else f" AND x.id = {bound.put(actor.organization_id)}"
        return fill(_NAMED, most=most, table="organization", which=own)
    if name == "team":
        mine = f" AND x.id = ANY(CAST({bound.put(sorted(actor.teams))} AS bigint[]))" if not actor.role.manages else ""
        return fill(_NAMED, most=most, table="team", which=f" AND x.archived_at IS NULL{mine}")
    return fill(_NAMED, most=most, table="tag", which="") if name == "tag" else None


def _people(actor: Actor, bound: Bound) -> str:
    if actor.role.staff:
        return ""
    me = f"x.id = {bound.put(actor.id)}"
    if actor.role is Role.CUSTOMER_ADMIN and actor.organization_id is not None:
        return (
            f" AND ({me} OR x.organization_id = {bound.put(actor.organization_id)} AND x.role IN ('customer', 'customer_admin'))"
        )
    return f" AND {me}"


def _tickets(c: Connection, actor: Actor, part: str) -> list[dict[str, str]]:
    part = part.removeprefix("ticket").lstrip("#")
    if not part.isdecimal() and sum(each.isalnum() for each in part) < rules.LEAST_BEGINNING:
        return []
    number = int(part) if part.isascii() and part.isdigit() and len(part) <= 18 else None
    query = Query(All((Words(part, number is None),)), number)
    found: dict[str, Any] = json.loads(listing.listing(c, actor, query, limit=MOST, number_first=True))
    return [_said("ticket", f"#{row['number']}", f"#{row['number']} {row['subject']}") for row in found["items"]]


def _quoted(value: str) -> str:
    plain = all(each.isalnum() or each in "@._-+" for each in value) and value.lower() not in {"me", "mine", "none"}
    return value if plain else f'"{value}"'


def _said(kind: str, what: str, label: str) -> dict[str, str]:
    return {"kind": kind, "text": what, "label": label}
