"""The files of a ticket, and reading one."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.accounts.models import Person
from app.audit import actions as audit
from app.audit.models import Event
from app.core import cursors
from app.core.errors import NotFound
from app.db.session import Session
from app.files.models import Attachment
from app.tickets import queries
from app.tickets.models import Message


def read(s: Session, id: int, *, by: Person, now: datetime, noted: bool = True) -> Attachment:
    """A file, if this person may see the message it hangs on; that they read it is written down. Raises NotFound."""
    file = s.get(Attachment, id)
    message = queries.message(s, by, file.message_id) if file else None
    if file is None or message is None:
        raise NotFound(f"There is no attachment {id} here.")
    if noted:
        told = {"attachment": file.id, "message": message.id, "name": file.name}
        audit.record(s, Event.ATTACHMENT_READ, now=now, by=by.signature, ticket=message.ticket, **told)
    return file


def listing(
    c: Connection, ticket: int, *, notes: bool, limit: int, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The files of a ticket's conversation, oldest first, and the cursor of the next ones; a note's only where `notes`."""
    columns = (
        Attachment.id,
        Attachment.message_id,
        Attachment.name,
        Attachment.media_type,
        Attachment.size,
        Attachment.created_at,
    )
    query = select(*columns).join(Message, Message.id == Attachment.message_id).where(queries.conversation(ticket))
    if not notes:
        query = query.where(Message.internal.is_(False))
    if cursor is not None:
        query = query.where(Attachment.id > cursors.place(cursor, int)[0])
    rows = c.execute(query.order_by(Attachment.id).limit(limit + 1)).all()
    following = cursors.cursor(rows[limit - 1].id) if len(rows) > limit else None
    return [told(row) for row in rows[:limit]], following


def told(file: Any) -> dict[str, Any]:
    """A file as programs are told it."""
    return {
        "id": file.id,
        "message": file.message_id,
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "created_at": file.created_at,
    }
