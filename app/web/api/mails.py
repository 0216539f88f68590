"""The ledger of incoming mail, for programs: what came and what became of it, and a person's say about what was set aside."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.accounts.models import Person
from app.core import cursors
from app.core.errors import NotFound
from app.db.session import Session
from app.intake import actions as intake
from app.intake import queries
from app.intake.rules.states import MailState
from app.web.answers import Json
from app.web.door import Manager, ManagerAsker, Now, Reader, Route, Tx
from app.web.lists import Cursor, Limit
from app.web.shapes import answers
from app.web.shapes import mails as shapes

router = APIRouter(prefix="/api/v1/mails", tags=["desk"], route_class=Route)


@router.get("", responses=answers(shapes.Mails))
def listed(
    me: ManagerAsker,
    c: Reader,
    state: MailState | None = None,
    mailbox_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Json:
    """Incoming mail, the last first: each mail says what became of it, and why."""
    before = cursors.place(cursor, int)[0] if cursor is not None else None
    rows = queries.ledger(c, state=state, mailbox=mailbox_id, before=before, limit=limit + 1)
    following = cursors.cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Json({"items": [_told(row) for row in rows[:limit]], "next": following})


@router.get("/{id}", responses=answers(shapes.Mail, 404))
def show(id: shapes.PathKey, me: ManagerAsker, c: Reader) -> Json:
    """One mail of the ledger. What it says is read on the desk's own page, where that is recorded."""
    return Json(_one(c, id))


@router.post("/{id}/replay", responses=answers(shapes.Mail, 404, 409))
def replay(id: shapes.PathKey, me: Manager, s: Tx, now: Now) -> Json:
    """Process a quarantined or ignored mail again, by the same rules."""
    return _done(intake.replay, s, id, me, now)


@router.post("/{id}/release", responses=answers(shapes.Mail, 404, 409))
def release(id: shapes.PathKey, me: Manager, s: Tx, now: Now) -> Json:
    """Let a quarantined mail become a ticket or an answer, whichever rule held it."""
    return _done(intake.release, s, id, me, now)


@router.post("/{id}/drop", responses=answers(shapes.Mail, 404, 409))
def drop(id: shapes.PathKey, me: Manager, s: Tx, now: Now) -> Json:
    """Say that nobody has to look at a quarantined mail any more. It stays in the ledger, as an ignored one."""
    return _done(intake.drop, s, id, me, now)


def _done(act: Callable[..., Any], s: Session, id: int, me: Person, now: Now) -> Json:
    act(s, id, by=me.signature, now=now)
    s.flush()
    return Json(_one(s, id))


def _one(c: Any, id: int) -> dict[str, Any]:
    rows = queries.ledger(c, id=id)
    if not rows:
        raise NotFound(f"There is no mail {id} in the ledger.")
    return _told(rows[0])


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[source] for name, source in shapes.SOURCES.items()}
