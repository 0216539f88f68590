"""Keeping files."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core import text
from app.db.session import Session
from app.files import rules
from app.files.disk import Blobs
from app.files.models import Attachment


@dataclass(frozen=True)
class File:
    """A file somebody sent: its name, and where its bytes already lie. `preview` is what it says, where it is a mail."""

    name: str
    media_type: str
    size: int
    blob: str
    content_id: str | None = None
    preview: dict[str, Any] | None = None


def keep(blobs: Blobs, *, name: str | None, content: bytes, content_id: str | None = None) -> File:
    """Store the bytes (outside any transaction) and describe them."""
    return File(text.file_name(name), rules.media_type(content), len(content), blobs.put(content), content_id)


def attach(s: Session, files: Iterable[File], *, message_id: int, now: datetime) -> list[Attachment]:
    """Hang files on a message."""
    rows = [
        Attachment(
            message_id=message_id,
            name=f.name,
            media_type=f.media_type,
            size=f.size,
            blob=f.blob,
            content_id=f.content_id,
            preview=f.preview,
            created_at=now,
        )
        for f in files
    ]
    s.add_all(rows)
    return rows
