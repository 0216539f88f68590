"""Finding canned replies."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, true, tuple_

from app.accounts import sharing
from app.accounts.models import Team
from app.accounts.rules import Actor
from app.core import cursors
from app.core.errors import NotFound
from app.knowledge.models import CannedReply

_COLUMNS = (
    CannedReply.id,
    CannedReply.title,
    CannedReply.shortcut,
    CannedReply.text,
    CannedReply.owner_id,
    CannedReply.team_id,
    Team.name.label("team"),
    CannedReply.created_at,
    CannedReply.revision,
)
_ORDER = func.lower(CannedReply.title)


def replies(
    c: Connection, actor: Actor, *, q: str | None = None, limit: int, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Replies that `actor` may use, by title, and the cursor of the next ones. `q` is in the title, the shortcut or the text."""
    query = _select(actor).add_columns(_ORDER.label("place")).where(_holding(q), _after(cursor))
    rows = c.execute(query.order_by(_ORDER, CannedReply.id).limit(limit + 1)).all()
    following = cursors.cursor(rows[limit - 1].place, rows[limit - 1].id) if len(rows) > limit else None
    return [told(actor, row) for row in rows[:limit]], following


def reply(c: Connection, actor: Actor, id: int) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    row = c.execute(_select(actor).where(CannedReply.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no canned reply {id} here.")
    return told(actor, row)


def told(actor: Actor, row: Any) -> dict[str, Any]:
    """A reply as programs are told it."""
    return {
        "id": row.id,
        "title": row.title,
        "shortcut": row.shortcut,
        "text": row.text,
        **sharing.told(actor, row),
        "created_at": row.created_at,
        "revision": row.revision,
    }


def _select(actor: Actor) -> Select[*tuple[Any, ...]]:
    visible = sharing.visible_to(actor, CannedReply)
    return select(*_COLUMNS).outerjoin(Team, Team.id == CannedReply.team_id).where(visible)


def _holding(q: str | None) -> ColumnElement[bool]:
    if not q:
        return true()
    columns = (CannedReply.title, CannedReply.shortcut, CannedReply.text)
    return or_(*(column.icontains(q, autoescape=True) for column in columns))


def _after(cursor: str | None) -> ColumnElement[bool]:
    if cursor is None:
        return true()
    title, id = cursors.place(cursor, str, int)
    return tuple_(_ORDER, CannedReply.id) > tuple_(title, id)
