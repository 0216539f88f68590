"""Business calendars. What a calendar said is never changed: an edit makes a new version."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table


class Calendar(Table):
    """A name for opening hours; what they are is in its versions."""

    __tablename__ = "calendar"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class CalendarVersion(Table):
    """What a calendar says for instants from `effective_from` on; never updated.

    `spec` is {"zone": IANA name, "week": seven lists of ["HH:MM", "HH:MM"], Monday first}; `hash` is its SHA-256.
    """

    __tablename__ = "calendar_version"
    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendar.id"))
    effective_from: Mapped[datetime]
    spec: Mapped[dict[str, Any]]
    hash: Mapped[bytes]

    __table_args__ = (UniqueConstraint("calendar_id", "effective_from"),)
