"""What HTTP itself has to remember."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table


class Repeat(Table):
    """An answer that was given to a request with an Idempotency-Key, to be given again to the same request. Kept for a day."""

    __tablename__ = "idempotency"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
    answered_at: Mapped[datetime] = mapped_column(index=True)
