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
