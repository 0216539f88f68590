"""Business calendars. What a calendar said is never changed: an edit makes a new version."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table


class Calendar(Table):
    """A name for opening hours; what they are is in its versions. One that was removed stays for the clocks it once measured."""

    __tablename__ = "calendar"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)
    removed_at: Mapped[datetime | None]

    __table_args__ = (Index("calendar_name_idx", "name", unique=True, postgresql_where=text("removed_at IS NULL")),)


class CalendarVersion(Table):
    """What a calendar says for instants from `effective_from` on, whatever versions with lower ids said of them. Never updated.

    `spec` is {"zone": IANA name, "week": seven lists of ["HH:MM", "HH:MM"], Monday first, "closed": [{"date": "YYYY-MM-DD" or
    "every": "MM-DD", "name"}], "instead": [the same with "hours": a list like a day of the week]}; entries with "feed" came from
    the calendar's feed. `hash` covers this version, all before it, and the rules of their time zones as they were then known.
    """

    __tablename__ = "calendar_version"
    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendar.id"))
    effective_from: Mapped[datetime]
    spec: Mapped[dict[str, Any]]
    hash: Mapped[bytes]
    created_at: Mapped[datetime]
    actor_id: Mapped[int | None]
    actor: Mapped[str]
    why: Mapped[str]

    __table_args__ = (Index("calendar_version_calendar_idx", "calendar_id", "id"),)


class Feed(Table):
    """Where a calendar's closed days are published, and what was found there last; `automatic` is without a person's say.

    `found` are days as rules/feed.py has them. `problem` says in words what goes wrong, since `since`; both are None when all
    is well.
    """

    __tablename__ = "calendar_feed"
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendar.id"), primary_key=True, autoincrement=False)
    url: Mapped[str]
    automatic: Mapped[bool]
    next_at: Mapped[datetime]
    fetched_at: Mapped[datetime | None]
    found: Mapped[list[Any] | None]
    problem: Mapped[str | None]
    since: Mapped[datetime | None]

    __table_args__ = (Index("calendar_feed_due_idx", "next_at"),)
