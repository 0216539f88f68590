"""Lists of tickets: one statement, whose answer PostgreSQL writes as JSON.

The tickets of a page are found first (arms.py); only these few are then joined with what a row shows.
"""

from functools import lru_cache

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql.psycopg import dialect

from app.accounts.rules import Actor
from app.db.plain import rows
from app.tickets.search import arms, conditions, orders
from app.tickets.search.conditions import Asked, fill
from app.tickets.search.nodes import Query
from app.tickets.search.orders import DEFAULT, OF_WORDS

_DIALECT = dialect()  # type: ignore[no-untyped-call]
_ROWS = """
WITH {steps}
SELECT CAST(json_build_object(
    'items', coalesce(json_agg(item ORDER BY place) FILTER (WHERE place <= {limit}), CAST('[]' AS json)),
    'next', max(translate(encode(convert_to(CAST(json_build_array(
        CAST(:said AS text), k, CASE WHEN exact THEN 9223372036854775807 ELSE number END
    ) AS text), 'UTF8'), 'base64'), E'+/=\\n', '-_')) FILTER (WHERE place = {limit} AND total > {limit})
) AS text)
FROM (
    SELECT page.*, (SELECT row_to_json(one) FROM (SELECT
        t.number, t.subject, t.status, t.priority, t.channel,
        (SELECT row_to_json(one) FROM (SELECT requester.id, requester.name, requester.email) AS one) AS requester,
        CASE WHEN assignee.id IS NOT NULL THEN
            (SELECT row_to_json(one) FROM (SELECT assignee.id, assignee.name, assignee.email) AS one) END AS assignee,
        CASE WHEN organization.id IS NOT NULL THEN
            (SELECT row_to_json(one) FROM (SELECT organization.id, organization.name) AS one) END AS organization,
        t.created_at, t.updated_at, t.resolved_at, t.closed_at,
        due.at AS due_at, coalesce(due.breached, false) AS breached{staff}
    ) AS one) AS item
    FROM (
        SELECT found.*, count(*) OVER () AS total,
            row_number() OVER (ORDER BY exact DESC, k IS NULL, k {way}, number {way}) AS place
        FROM found
    ) AS page
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
        CASE WHEN team.id IS NOT NULL THEN (SELECT row_to_json(one) FROM (SELECT team.id, team.name) AS one) END AS team,
        t.tags, t.snoozed_until, t.revision"""


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
    staff = actor.role.staff
    parts = {"steps": arms.statement(page), "limit": str(limit), "way": page.way, "staff": _STAFF if staff else ""}
    statement = fill(_ROWS, **parts, team="\n    LEFT JOIN team ON team.id = t.team_id" if staff else "")
    [(told,)] = rows(c, _for_driver(statement), page.bound.values | {"said": by.said})
    return str(told)


@lru_cache(maxsize=512)
def _for_driver(statement: str) -> str:
    """The same with placeholders as the driver writes them."""
    return str(text(statement).compile(dialect=_DIALECT))
