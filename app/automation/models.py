"""Several steps by one click."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table


class Macro(Table):
    """A change of a ticket, an answer or a note, kept under a title: one person's, a team's, or everybody's.

    `steps` is what it does: the fields of a change of a ticket, and `reply` or `note` with placeholders.
    """

    __tablename__ = "macro"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    steps: Mapped[dict[str, Any]]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)
