"""Lists of tickets: one statement, whose rows PostgreSQL writes as JSON.

The tickets of a page are found first (arms.py); only these few are then joined with what a row shows.
"""

from functools import lru_cache

from pydantic_core import to_json
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql.psycopg import dialect

from app.accounts.rules import Actor
from app.db import plain
from app.tickets.search import arms, conditions, orders
from app.tickets.search.conditions import Asked, fill
from app.tickets.search.nodes import Query
from app.tickets.search.orders import DEFAULT, OF_WORDS

_DIALECT = dialect()  # type: ignore[no-untyped-call]
_ROWS = """
WITH {steps}
SELECT {row}, page.k, CASE WHEN page.exact THEN 9223372036854775807 ELSE page.number END
FROM found AS page
JOIN ticket t ON t.number = page.number
JOIN person requester ON requester.id = t.requester_id
LEFT JOIN person assignee ON assignee.id = t.assignee_id
LEFT JOIN organization ON organization.id = t.organization_id{team}
LEFT JOIN LATERAL (
    SELECT min(c.due_at) AS at, bool_or(c.breached_at IS NOT NULL) AS breached
    FROM sla_clock c WHERE c.ticket = t.number AND c.outcome IS NULL AND c.due_at IS NOT NULL
) AS due ON true
ORDER BY page.exact DESC, page.k IS NULL, page.k {way}, page.number {way}
"""


def _object(**values: str) -> str:
    """SQL that writes an object, of SQL that writes each of its values. PostgreSQL's own functions for that take three times as
    long: they look at every value's type for every row.
    """
    inner = ", ".join(f"""',"{name}":', {value}""" for name, value in values.items())
    return f"concat('{{', {inner.replace(',', '', 1)}, '}}')"


def _word(value: str) -> str:
    return f"""'"', {value}, '"'"""


def _or_null(value: str) -> str:
    return f"coalesce(CAST(to_json({value}) AS text), 'null')"


def _named(table: str, **more: str) -> str:
    written = _object(id=f"{table}.id", name=f"to_json({table}.name)", **more)
    return f"CASE WHEN {table}.id IS NULL THEN 'null' ELSE {written} END"


_FIELDS = {
    "number": "t.number",
    "subject": "to_json(t.subject)",
    "status": _word("t.status"),
    "priority": _word("t.priority"),
    "channel": _word("t.channel"),
    "requester": _named("requester", email="to_json(requester.email)"),
    "assignee": _named("assignee", email="to_json(assignee.email)"),
    "organization": _named("organization"),
    "created_at": "to_json(t.created_at)",
    "updated_at": "to_json(t.updated_at)",
    "resolved_at": _or_null("t.resolved_at"),
    "closed_at": _or_null("t.closed_at"),
    "due_at": _or_null("due.at"),
    "breached": "CASE WHEN due.breached THEN 'true' ELSE 'false' END",
}
_CUSTOMERS = _object(**_FIELDS)
_STAFFS = _object(
    **_FIELDS,
    team=_named("team"),
    tags="to_json(t.tags)",
    snoozed_until=_or_null("t.snoozed_until"),
    revision="t.revision",
)


def listing(
    c: Connection,
    actor: Actor,
    query: Query,
    *,
    sort: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    number_first: bool = False,
) -> bytes:
    """The tickets that `actor` may see and the query wants, as JSON: `{"items": [...], "next": cursor|null}`.

    Raises WrongSort and WrongCursor. With `number_first` a query that is nothing but a number has the ticket of that number
    before all others, also where lists leave it out.
    """
    by = orders.order(sort or (OF_WORDS if conditions.reads_words(query) else DEFAULT), staff=actor.role.staff)
    after = orders.place(cursor, by) if cursor else None
    exact = query.number if number_first and by.said == OF_WORDS else None
    page = arms.Page(Asked(actor), query, by, limit, after, exact)
    staff = actor.role.staff
    parts = {"steps": arms.statement(page), "way": page.way, "row": _STAFFS if staff else _CUSTOMERS}
    statement = fill(_ROWS, **parts, team="\nLEFT JOIN team ON team.id = t.team_id" if staff else "")
    found = plain.result(c, _for_driver(statement), page.bound.values)
    items = b",".join([found.get_value(row, 0) or b"" for row in range(min(limit, found.ntuples))])
    following = b"null"
    if found.ntuples > limit:
        last = limit - 1
        following = to_json(orders.cursor(by, found.get_value(last, 1), int(found.get_value(last, 2) or 0)))
    return b'{"items":[%b],"next":%b}' % (items, following)


@lru_cache(maxsize=512)
def _for_driver(statement: str) -> str:
    """The same with placeholders as the driver writes them."""
    return str(text(statement).compile(dialect=_DIALECT))
