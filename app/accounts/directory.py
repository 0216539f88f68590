"""People, organizations and teams as programs read them: JSON that PostgreSQL writes, in one statement."""

import base64
import json
from dataclasses import dataclass
from typing import Any, LiteralString

from sqlalchemy import Connection

from app.accounts.rules import Actor, Role
from app.core import text
from app.core.errors import Invalid, NotFound
from app.db.plain import rows

_PEOPLE = """
WITH page AS (
    SELECT p.id, lower(p.name) AS key FROM person p
    WHERE (%(id)s::bigint IS NULL OR p.id = %(id)s::bigint)
        AND (%(all)s::boolean OR (p.organization_id = %(mine)s::bigint AND p.role IN ('customer', 'customer_admin')))
        AND (%(q)s::text IS NULL OR strpos(lower(p.name), lower(%(q)s::text)) > 0 OR strpos(p.email, lower(%(q)s::text)) > 0)
        AND (%(role)s::text IS NULL OR p.role = %(role)s::text)
        AND (%(organization)s::bigint IS NULL OR p.organization_id = %(organization)s::bigint)
        AND (%(team)s::bigint IS NULL OR EXISTS (
            SELECT FROM membership m WHERE m.team_id = %(team)s::bigint AND m.person_id = p.id))
        AND (%(disabled)s::boolean IS NULL OR (p.disabled_at IS NOT NULL) = %(disabled)s::boolean)
        AND (%(key)s::text IS NULL OR (lower(p.name), p.id) > (%(key)s::text, %(after)s::bigint))
    ORDER BY lower(p.name), p.id LIMIT %(limit)s::int + 1
), numbered AS (SELECT page.*, row_number() OVER (ORDER BY key, id) AS place FROM page)
SELECT count(*), max(p.revision), (array_agg(n.key ORDER BY place))[%(limit)s::int],
    (array_agg(n.id ORDER BY place))[%(limit)s::int],
    coalesce(json_agg(json_build_object(
        'id', p.id, 'email', p.email, 'name', p.name, 'role', p.role,
        'organization', CASE WHEN o.id IS NOT NULL THEN json_build_object('id', o.id, 'name', o.name) END,
        'zone', p.zone,
        'teams', (
            SELECT coalesce(json_agg(json_build_object('id', t.id, 'name', t.name, 'part', m.part) ORDER BY t.name, t.id), '[]')
            FROM membership m JOIN team t ON t.id = m.team_id WHERE m.person_id = p.id
        ),
        'can_sign_in', p.disabled_at IS NULL AND (
            p.password_hash IS NOT NULL OR EXISTS (SELECT FROM passkey k WHERE k.person_id = p.id)),
        'invited_until', (
            SELECT max(l.expires_at) FROM one_time_link l
            WHERE l.person_id = p.id AND l.purpose = 'invite' AND l.used_at IS NULL AND l.expires_at > now()
        ),
        'disabled_at', p.disabled_at, 'created_at', p.created_at, 'revision', p.revision
    ) ORDER BY place) FILTER (WHERE place <= %(limit)s::int), '[]')::text
FROM numbered n JOIN person p ON p.id = n.id LEFT JOIN organization o ON o.id = p.organization_id
"""
_ORGANIZATIONS = """
WITH page AS (
    SELECT o.id, lower(o.name) AS key FROM organization o
    WHERE (%(id)s::bigint IS NULL OR o.id = %(id)s::bigint)
        AND (%(q)s::text IS NULL OR strpos(lower(o.name), lower(%(q)s::text)) > 0 OR EXISTS (
            SELECT FROM organization_domain d WHERE d.organization_id = o.id AND strpos(d.domain, lower(%(q)s::text)) > 0))
        AND (%(key)s::text IS NULL OR (lower(o.name), o.id) > (%(key)s::text, %(after)s::bigint))
    ORDER BY lower(o.name), o.id LIMIT %(limit)s::int + 1
), numbered AS (SELECT page.*, row_number() OVER (ORDER BY key, id) AS place FROM page)
SELECT count(*), max(o.revision), (array_agg(n.key ORDER BY place))[%(limit)s::int],
    (array_agg(n.id ORDER BY place))[%(limit)s::int],
    coalesce(json_agg(json_build_object(
        'id', o.id, 'name', o.name, 'notes', o.notes,
        'domains', (
            SELECT coalesce(json_agg(d.domain ORDER BY d.domain), '[]') FROM organization_domain d WHERE d.organization_id = o.id
        ),
        'people', (SELECT count(*) FROM person p WHERE p.organization_id = o.id),
        'created_at', o.created_at, 'revision', o.revision
    ) ORDER BY place) FILTER (WHERE place <= %(limit)s::int), '[]')::text
FROM numbered n JOIN organization o ON o.id = n.id
"""
_TEAMS = """
WITH page AS (
    SELECT t.id, lower(t.name) AS key FROM team t
    WHERE (%(id)s::bigint IS NULL OR t.id = %(id)s::bigint)
        AND (%(archived)s::boolean IS NULL OR (t.archived_at IS NOT NULL) = %(archived)s::boolean)
        AND (%(key)s::text IS NULL OR (lower(t.name), t.id) > (%(key)s::text, %(after)s::bigint))
    ORDER BY lower(t.name), t.id LIMIT %(limit)s::int + 1
), numbered AS (SELECT page.*, row_number() OVER (ORDER BY key, id) AS place FROM page)
SELECT count(*), max(t.revision), (array_agg(n.key ORDER BY place))[%(limit)s::int],
    (array_agg(n.id ORDER BY place))[%(limit)s::int],
    coalesce(json_agg(json_build_object(
        'id', t.id, 'name', t.name, 'description', t.description,
        'members', (
            SELECT coalesce(json_agg(json_build_object(
                'id', p.id, 'name', p.name, 'email', p.email, 'part', m.part, 'disabled_at', p.disabled_at
            ) ORDER BY lower(p.name), p.id), '[]')
            FROM membership m JOIN person p ON p.id = m.person_id WHERE m.team_id = t.id
        ),
        'archived_at', t.archived_at, 'created_at', t.created_at, 'revision', t.revision
    ) ORDER BY place) FILTER (WHERE place <= %(limit)s::int), '[]')::text
FROM numbered n JOIN team t ON t.id = n.id
"""
_NOBODY = {"id": None, "q": None, "role": None, "organization": None, "team": None, "disabled": None}


@dataclass(frozen=True)
class Told:
    """One row as JSON (an object's text), and its revision."""

    json: str
    revision: int


@dataclass(frozen=True)
class Wanted:
    """Which people a list shows. `q` is part of a name or an address."""

    q: str | None = None
    role: Role | None = None
    organization_id: int | None = None
    team_id: int | None = None
    disabled: bool | None = None


def people(c: Connection, actor: Actor, wanted: Wanted, *, limit: int, cursor: str | None) -> str:
    """The people that `actor` may see, by name, as the text of {"items": …, "next": …}."""
    asked = {
        "id": None,
        "q": _words(wanted.q),
        "role": wanted.role.value if wanted.role else None,
        "organization": wanted.organization_id,
        "team": wanted.team_id,
        "disabled": wanted.disabled,
    }
    return _page(c, _PEOPLE, asked | _seen_by(actor), limit, cursor)


def person(c: Connection, actor: Actor, id: int) -> Told:
    """One person, if `actor` may see them. Raises NotFound."""
    return _one(c, _PEOPLE, _NOBODY | {"id": id} | _seen_by(actor), f"There is nobody with the number {id} here.")


def organizations(c: Connection, *, q: str | None, limit: int, cursor: str | None) -> str:
    """Every organization, by name, for the staff."""
    return _page(c, _ORGANIZATIONS, {"id": None, "q": _words(q)}, limit, cursor)


def organization(c: Connection, id: int) -> Told:
    """One organization, for the staff. Raises NotFound."""
    return _one(c, _ORGANIZATIONS, {"id": id, "q": None}, f"There is no organization {id} here.")


def teams(c: Connection, *, archived: bool | None, limit: int, cursor: str | None) -> str:
    """Every team with its members, by name, for the staff."""
    return _page(c, _TEAMS, {"id": None, "archived": archived}, limit, cursor)


def team(c: Connection, id: int) -> Told:
    """One team with its members, for the staff. Raises NotFound."""
    return _one(c, _TEAMS, {"id": id, "archived": None}, f"There is no team {id} here.")


def _seen_by(actor: Actor) -> dict[str, Any]:
    """Staff see everybody, a customer's administrator the customers of their organization, and nobody else anybody."""
    mine = actor.organization_id if actor.role is Role.CUSTOMER_ADMIN else None
    return {"all": actor.role.staff, "mine": mine}


def _page(c: Connection, query: LiteralString, asked: dict[str, Any], limit: int, cursor: str | None) -> str:
    key, after = _place(cursor)
    [(count, _, last_key, last_id, told)] = rows(c, query, {**asked, "key": key, "after": after, "limit": limit})
    following = f'"{_cursor(last_key, last_id)}"' if count > limit else "null"
    return f'{{"items":{told},"next":{following}}}'


def _one(c: Connection, query: LiteralString, asked: dict[str, Any], otherwise: str) -> Told:
    [(count, revision, _, _, told)] = rows(c, query, {**asked, "key": None, "after": None, "limit": 1})
    if not count:
        raise NotFound(otherwise)
    return Told(told[1:-1], revision)


def _words(q: str | None) -> str | None:
    return text.one_line(q) or None if q else None


def _cursor(key: str, id: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, id]).encode()).decode()


def _place(cursor: str | None) -> tuple[str | None, int | None]:
    if cursor is None:
        return None, None
    try:
        key, id = json.loads(base64.urlsafe_b64decode(cursor))
        if type(key) is not str or type(id) is not int or not 0 <= id < 2**63 or "\0" in key:
            raise ValueError
        key.encode()
    except (ValueError, TypeError, RecursionError):
        raise Invalid("That cursor is none of ours; take the `next` of an earlier answer, or leave it out.") from None
    return key, id
