"""Lists of tickets: one statement, whose answer PostgreSQL writes as JSON.

The tickets of a page are found first (arms.py); only these few are then joined with what a row shows.
"""

from functools import lru_cache

from sqlalchemy import Connection, TextClause, text

from app.accounts.rules import Actor
from app.tickets.search import arms, conditions, orders
from app.tickets.search.conditions import Asked, fill
from app.tickets.search.nodes import Query
from app.tickets.search.orders import DEFAULT, OF_WORDS

_ROWS = """
WITH {steps}
SELECT CAST(json_build_object(
    'items', coalesce(json_agg(item ORDER BY place) FILTER (WHERE place <= {limit}), CAST('[]' AS json)),
    'next', max(translate(encode(convert_to(CAST(json_build_array(
        CAST(:said AS text), k, CASE WHEN exact THEN 9223372036854775807 ELSE number END
    ) AS text), 'UTF8'), 'base64'), E'+/=\\n', '-_')) FILTER (WHERE place = {limit} AND total > {limit})
) AS text)
FROM (
    SELECT page.*, row_number() OVER (ORDER BY exact DESC, k IS NULL, k {way}, page.number {way}) AS place, json_build_object(
        'number', t.number, 'subject', t.subject, 'status', t.status, 'priority', t.priority, 'channel', t.channel,
        'requester', json_build_object('id', requester.id, 'name', requester.name, 'email', requester.email),
        'assignee', CASE WHEN assignee.id IS NOT NULL THEN
            json_build_object('id', assignee.id, 'name', assignee.name, 'email', assignee.email) END,
        'organization', CASE WHEN organization.id IS NOT NULL THEN
            json_build_object('id', organization.id, 'name', organization.name) END,
        'created_at', t.created_at, 'updated_at', t.updated_at, 'resolved_at', t.resolved_at, 'closed_at', t.closed_at,
        'due_at', due.at, 'breached', coalesce(due.breached, false){staff}
    ) AS item
    FROM (SELECT number, k, exact, count(*) OVER () AS total FROM found) AS page
    JOIN ticket t ON t.number = page.number
    JOIN person requester ON requester.id = t.requester_id
    LEFT JOIN person assignee ON assignee.id = t.assignee_id
    LEFT JOIN organization ON organization.id = t.organization_id{team}
    LEFT JOIN LATERAL (
        SELECT min(c.due_at) AS at, bool_or(c.breached_at IS NOT NULL) AS breached
        FROM sla_clock c WHERE c.ticket = t.number AND c.outcome IS NULL AND c.due_at IS NOT NULL
    ) AS due ON true
) AS rows
"""
_STAFF = """,
        'team', CASE WHEN team.id IS NOT NULL THEN json_build_object('id', team.id, 'name', team.name) END,
        'tags', t.tags, 'snoozed_until', t.snoozed_until, 'revision', t.revision"""


def listing(
    c: Connection,
    actor: Actor,
    query: Query,
    *,
    sort: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    number_first: bool = False,
) -> str:
    """The tickets that `actor` may see and the query wants, as JSON: `{"items": [...], "next": cursor|null}`.

    Raises WrongSort and WrongCursor. With `number_first` a query that is nothing but a number has the ticket of that number
    before all others, also where lists leave it out.
    """
    by = orders.order(sort or (OF_WORDS if conditions.reads_words(query) else DEFAULT), staff=actor.role.staff)
    after = orders.place(cursor, by) if cursor else None
    exact = query.number if number_first and by.said == OF_WORDS else None
    page = arms.Page(Asked(actor), query, by, limit, after, exact)
    steps = ", ".join(f"{name} AS MATERIALIZED ({step})" for name, step in arms.steps(page).items())
    staff = actor.role.staff
    parts = {"steps": steps, "limit": str(limit), "way": page.way, "staff": _STAFF if staff else ""}
    statement = fill(_ROWS, **parts, team="\n    LEFT JOIN team ON team.id = t.team_id" if staff else "")
    return str(c.execute(_prepared(statement), page.bound.values | {"said": by.said}).scalar_one())


@lru_cache(maxsize=512)
def _prepared(statement: str) -> TextClause:
    return text(statement)
