"""What belongs to a message beside its text."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table


class Attachment(Table):
    """A file on a message: its name as sent, its type as we judge it, and the blob that holds it.

    The HTML of the message shows the one that has a `content_id`, as cid:… (RFC 2392). `preview` is what a mail within the mail
    says: sender, to, date, subject and text, one line each but the text.
    """

    __tablename__ = "attachment"
    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    blob: Mapped[str]
    content_id: Mapped[str | None]
    preview: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime]
