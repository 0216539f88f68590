"""Words that are said again and again."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table


class CannedReply(Table):
    """A text to begin an answer with: one person's (`owner_id`), a team's (`team_id`), or, with neither, everybody's.

    `text` may hold placeholders (`{{requester.name}}`), which are filled in when it is used. `shortcut` is how one calls it.
    """

    __tablename__ = "canned_reply"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    shortcut: Mapped[str | None] = mapped_column(index=True)
    text: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)
