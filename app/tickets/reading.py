"""A ticket and what was said on it as programs read them: JSON that PostgreSQL writes, in one statement.

Customers are told less: no tags, no revision (it would count notes), no field that isn't shown to them, no note, no delivery, and
nothing of whether a mail is from whom it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.accounts.identity import Identity
from app.accounts.rules import Actor, Verb, may
from app.core.errors import Invalid, NotFound
from app.db.plain import rows
from app.tickets.rules import Status, allowed

_TICKET = """
SELECT t.requester_id, t.organization_id, t.team_id, t.trashed_at, t.status, t.revision,
    json_build_object(
        'number', t.number, 'subject', t.subject, 'status', t.status, 'priority', t.priority, 'channel', t.channel,
        'requester', json_build_object('id', r.id, 'name', r.name, 'email', r.email),
        'assignee', CASE WHEN a.id IS NOT NULL THEN json_build_object('id', a.id, 'name', a.name, 'email', a.email) END,
        'organization', CASE WHEN o.id IS NOT NULL THEN json_build_object('id', o.id, 'name', o.name) END,
        'team', CASE WHEN g.id IS NOT NULL THEN json_build_object('id', g.id, 'name', g.name) END,
        'tags', CASE WHEN %(staff)s THEN t.tags ELSE '{}' END,
        'fields', CASE WHEN %(staff)s THEN t.fields ELSE (
            SELECT coalesce(jsonb_object_agg(f.key, t.fields -> f.key), '{}') FROM custom_field f
            WHERE f.shown_to_customers AND f.archived_at IS NULL AND t.fields ? f.key
                AND (f.team_id IS NULL OR f.team_id = t.team_id)
        ) END,
        'follows', t.follows, 'merged_into', t.merged_into, 'snoozed_until', CASE WHEN %(staff)s THEN t.snoozed_until END,
        'trashed', CASE WHEN t.trashed_at IS NOT NULL THEN json_build_object(
            'at', t.trashed_at, 'by', (SELECT p.name FROM person p WHERE p.id = t.trashed_by_id), 'reason', t.trash_reason
        ) END,
        'revision', CASE WHEN %(staff)s THEN t.revision END,
        'created_at', t.created_at, 'updated_at', t.updated_at, 'accepted_at', t.accepted_at,
        'first_replied_at', t.first_replied_at, 'resolved_at', t.resolved_at, 'closed_at', t.closed_at
    )::text AS told
FROM ticket t
JOIN person r ON r.id = t.requester_id
LEFT JOIN person a ON a.id = t.assignee_id
LEFT JOIN organization o ON o.id = t.organization_id
LEFT JOIN team g ON g.id = t.team_id
WHERE t.number = %(number)s
"""
_MESSAGES = """
WITH page AS (
    SELECT m.* FROM message m
    WHERE m.ticket IN (SELECT %(number)s UNION ALL SELECT number FROM ticket WHERE conversation = %(number)s)
        AND m.id > %(after)s AND (%(notes)s OR NOT m.internal)
    ORDER BY m.id LIMIT %(limit)s + 1
)
SELECT count(*) AS found, (array_agg(page.id ORDER BY page.id))[%(limit)s] AS last,
    coalesce(json_agg(json_build_object(
        'id', page.id, 'ticket', page.ticket,
        'author', json_build_object('id', p.id, 'name', p.name, 'email', p.email, 'staff', page.from_staff),
        'internal', page.internal, 'auto', page.auto, 'channel', page.channel, 'text', page.text, 'html', page.html,
        'folds', (
            SELECT coalesce(json_agg(json_build_object('begin', f -> 0, 'end', f -> 1, 'why', f -> 2)), '[]')
            FROM jsonb_array_elements(page.folds) f
        ),
        'cards', page.cards, 'created_at', page.created_at,
        'attachments', (
            SELECT coalesce(json_agg(json_build_object(
                'id', f.id, 'name', f.name, 'media_type', f.media_type, 'size', f.size, 'preview', f.preview
            ) ORDER BY f.id), '[]')
            FROM attachment f WHERE f.message_id = page.id
        ),
        'sender', (
            SELECT json_build_object('verdict', i.verdict, 'words', i.verdict_words)
            FROM inbound_mail i WHERE %(notes)s AND i.id = page.inbound_mail_id AND i.verdict IS NOT NULL
        ),
        'deliveries', (
            SELECT coalesce(json_agg(json_build_object(
                'to', l.to_address, 'state', l.state, 'next_try_at', l.next_at, 'at', coalesce(l.sent_at, l.created_at),
                'reason', coalesce(
                    CASE WHEN l.state = 'queued' THEN coalesce(%(trouble)s, (SELECT relay.reason FROM relay)) END, l.last_error
                )) ORDER BY l.id), '[]')
            FROM outbox l WHERE %(notes)s AND l.message_id = page.id
        )
    ) ORDER BY page.id) FILTER (WHERE place <= %(limit)s), '[]')::text AS told
FROM (SELECT page.*, row_number() OVER (ORDER BY page.id) AS place FROM page) AS page
JOIN person p ON p.id = page.author_id
"""
_OF_ONE = "WHERE t.number = %(number)s"
_BOTH = _TICKET.replace("AS told\n", "AS told, said.*\n").replace(_OF_ONE, f"CROSS JOIN LATERAL ({_MESSAGES}) AS said {_OF_ONE}")


@dataclass(frozen=True)
class Told:
    """A ticket in JSON (an object's text), and what else its answer needs. `revision` is None for customers."""

    json: str
    revision: int | None


@dataclass(frozen=True)
class _Owned:
    requester_id: int
    organization_id: int | None
    team_id: int | None
    trashed_at: datetime | None


def ticket(c: Connection, actor: Identity, number: int) -> Told:
    """A ticket as `actor` may see it. Raises NotFound."""
    told, _ = _seen(actor, number, rows(c, _TICKET, {"number": number, "staff": actor.staff}))
    return told


def with_messages(c: Connection, actor: Identity, number: int, *, limit: int, trouble: str | None = None) -> Told:
    """The same, with the first of its messages under that name."""
    asked = _asked(actor, number, None, limit, trouble)
    told, said = _seen(actor, number, rows(c, _BOTH, asked | {"staff": actor.staff}))
    return replace(told, json=f'{told.json[:-1]},"messages":{_page(limit, *said)}}}')


def messages(
    c: Connection, actor: Identity, number: int, *, limit: int, cursor: str | None = None, trouble: str | None = None
) -> str:
    """A page of what was said on a ticket that `actor` may see, oldest first, as the text of {"items": …, "next": …}.

    `trouble` says why no letter leaves at all, where that is so.
    """
    return _page(limit, *rows(c, _MESSAGES, _asked(actor, number, cursor, limit, trouble))[0])


def message(c: Connection, actor: Actor, number: int, id: int, *, trouble: str | None = None) -> str:
    """One message of a ticket, as the text of an object."""
    asked = _asked(actor, number, str(id - 1), 1, trouble)
    told = str(rows(c, _MESSAGES, asked)[0][2])
    return told.strip()[1:-1]


def _seen(actor: Identity, number: int, found: Sequence[tuple[Any, ...]]) -> tuple[Told, Sequence[Any]]:
    """The ticket, where `actor` may see it, and what was found with it."""
    thing = _Owned(*found[0][:4]) if found else None
    if thing is None or not may(actor, Verb.SEE, thing):
        raise NotFound(f"There is no ticket {number} here.")
    status, revision, told, *said = found[0][4:]
    steps = allowed(Status(status)) if may(actor, Verb.WORK, thing) else ()
    allows = ",".join(f'"{step}"' for step in steps)
    return Told(f'{told[:-1]},"allowed":[{allows}]}}', revision if actor.staff else None), said


def _asked(actor: Actor, number: int, cursor: str | None, limit: int, trouble: str | None) -> dict[str, Any]:
    return {"number": number, "notes": actor.role.staff, "after": _after(cursor), "limit": limit, "trouble": trouble}


def _page(limit: int, found: int, last: int | None, told: str) -> str:
    following = f'"{last}"' if found > limit else "null"
    return f'{{"items":{told},"next":{following}}}'


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 18:
        raise Invalid("That cursor is none of ours; take the `next` of an earlier answer, or leave it out.")
    return int(cursor)
