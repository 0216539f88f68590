"""What the desk remembers of itself."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table


class SettingsSeen(Table):
    """The settings of the last start, secrets as fingerprints: one row, so that a change of settings is noticed and recorded."""

    __tablename__ = "settings_seen"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    settings: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]


class Warned(Table):
    """Something that is amiss since then, as it was recorded. The key tells the kind and what it is about."""

    __tablename__ = "warned"
    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    about: Mapped[str | None]
    words: Mapped[str]
    since: Mapped[datetime]
