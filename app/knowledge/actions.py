"""Keeping canned replies."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.accounts import sharing
from app.accounts.models import Person
from app.accounts.sharing import SharedWith
from app.audit import actions as audit
from app.audit.models import Event
from app.core import text
from app.core.errors import Conflict, Invalid, NotFound
from app.db import locks
from app.db.session import Session
from app.knowledge import rules
from app.knowledge.models import CannedReply

LOCK = "canned-reply-shortcuts"


class ShortcutTaken(Conflict):
    """Another reply of the same people has this shortcut."""

    slug = "shortcut-taken"


def add(
    s: Session,
    *,
    title: str,
    body: str,
    shortcut: str | None,
    shared: SharedWith,
    team_id: int | None,
    by: Person,
    now: datetime,
) -> CannedReply:
    """A new reply. Raises UnknownPlaceholder where its text has one that is none."""
    made = CannedReply(title=_title(title), text=_text(body), created_at=now, revision=1)
    sharing.place(s, by, made, shared, team_id)
    _call(s, made, shortcut)
    s.add(made)
    s.flush()
    _record(s, made, "added", by, now, text=made.text)
    return made


def found(s: Session, id: int, *, by: Person) -> CannedReply:
    """A reply that this person may use, locked. Raises NotFound."""
    query = select(CannedReply).where(CannedReply.id == id, sharing.visible_to(by, CannedReply))
    reply = s.scalar(query.with_for_update(), execution_options={"populate_existing": True})
    if reply is None:
        raise NotFound(f"There is no canned reply {id} here.")
    return reply


def change(s: Session, reply: CannedReply, given: dict[str, Any], *, by: Person, now: datetime) -> None:
    """Change what is given of it: title, text, shortcut, shared_with and team_id."""
    sharing.require_change(by, reply)
    if given.get("title") is not None:
        reply.title = _title(given["title"])
    if given.get("text") is not None:
        reply.text = _text(given["text"])
    if given.get("shared_with") is not None:
        sharing.place(s, by, reply, given["shared_with"], given.get("team_id"))
    elif given.get("team_id") is not None:
        raise Invalid("Say shared_with too where you say team_id.")
    with s.no_autoflush:
        _call(s, reply, given.get("shortcut", reply.shortcut))
    reply.revision += 1
    _record(s, reply, "changed", by, now, text=reply.text)


def remove(s: Session, reply: CannedReply, *, by: Person, now: datetime) -> None:
    """Nobody needs it any more."""
    sharing.require_change(by, reply)
    _record(s, reply, "removed", by, now)
    s.delete(reply)


def _title(raw: str) -> str:
    title = text.one_line(raw, most=200)
    if not title:
        raise Invalid("A title has at least one character that can be seen.")
    return title


def _text(raw: str) -> str:
    body = text.printable(raw)
    rules.placeholders(body)
    return body


def _call(s: Session, reply: CannedReply, shortcut: str | None) -> None:
    """A shortcut means one reply among each person's own, each team's, and everybody's."""
    reply.shortcut = rules.shortcut(shortcut) if shortcut else None
    if reply.shortcut is None:
        return
    locks.take_in_transaction(s, LOCK)
    same = select(CannedReply.id).where(
        CannedReply.shortcut == reply.shortcut,
        CannedReply.owner_id.is_not_distinct_from(reply.owner_id),
        CannedReply.team_id.is_not_distinct_from(reply.team_id),
        CannedReply.id.is_distinct_from(reply.id),
    )
    if s.scalar(same.limit(1)):
        raise ShortcutTaken(f"There is a reply with the shortcut {reply.shortcut} already.")


def _record(s: Session, reply: CannedReply, what: str, by: Person, now: datetime, **more: Any) -> None:
    told = {"id": reply.id, "title": reply.title, "shortcut": reply.shortcut, **sharing.whose(reply), **more}
    audit.record(s, Event.CANNED_REPLY_CHANGED, now=now, by=by.signature, what=what, **told)
