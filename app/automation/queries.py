"""Finding macros."""

from typing import Any

from sqlalchemy import Connection, Select, func, select, true, tuple_

from app.accounts import sharing
from app.accounts.models import Team
from app.accounts.rules import Actor
from app.automation.models import Macro
from app.core import cursors
from app.core.errors import NotFound

_ORDER = func.lower(Macro.title)
_COLUMNS = (
    Macro.id,
    Macro.title,
    Macro.steps,
    Macro.owner_id,
    Macro.team_id,
    Team.name.label("team"),
    Macro.created_at,
    Macro.revision,
)


def macros(
    c: Connection, actor: Actor, *, q: str | None = None, limit: int, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Macros that `actor` may use, by title, and the cursor of the next ones. `q` is in the title."""
    query = _select(actor).add_columns(_ORDER.label("place")).where(Macro.title.icontains(q, autoescape=True) if q else true())
    if cursor is not None:
        title, id = cursors.place(cursor, str, int)
        query = query.where(tuple_(_ORDER, Macro.id) > tuple_(title, id))
    rows = c.execute(query.order_by(_ORDER, Macro.id).limit(limit + 1)).all()
    following = cursors.cursor(rows[limit - 1].place, rows[limit - 1].id) if len(rows) > limit else None
    return [told(actor, row) for row in rows[:limit]], following


def macro(c: Connection, actor: Actor, id: int) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    row = c.execute(_select(actor).where(Macro.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no macro {id} here.")
    return told(actor, row)


def told(actor: Actor, row: Any) -> dict[str, Any]:
    """A macro as programs are told it."""
    return {
        "id": row.id,
        "title": row.title,
        "steps": row.steps,
        **sharing.told(actor, row),
        "created_at": row.created_at,
        "revision": row.revision,
    }


def _select(actor: Actor) -> Select[*tuple[Any, ...]]:
    visible = sharing.visible_to(actor, Macro)
    return select(*_COLUMNS).outerjoin(Team, Team.id == Macro.team_id).where(visible)
