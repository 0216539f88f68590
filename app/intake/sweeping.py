"""Bytes of large mails that no row of the ledger names: their process was killed, or the database went, before the commit.

Whoever brought such a mail has it still, and it was taken, or refused, once more. A month is time for whoever put back an older
database; and what lies there since before the ledger's first row is not this ledger's to judge.
"""

from pathlib import Path

from sqlalchemy import select

from app.config import Settings
from app.core import clock
from app.db.session import Database
from app.intake import actions
from app.intake.models import InboundMail

EVERY = 24 * 3600.0  # seconds
KEPT = 30 * 24 * 3600.0  # seconds


class Sweeper:
    """Looks once a day."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings

    def turn(self) -> float:
        """Remove what nobody names; the seconds to wait before the next time."""
        for path in self._forgotten():
            path.unlink(missing_ok=True)
        return EVERY

    def _forgotten(self) -> list[Path]:
        old = list(actions.blobs(self._settings).untouched(clock.epoch() - KEPT))
        if not old:
            return []
        with self._database.reading() as c:
            began = c.execute(select(InboundMail.taken_at).order_by(InboundMail.id).limit(1)).scalar()
            named = set(c.execute(select(InboundMail.blob).where(InboundMail.blob.is_not(None))).scalars())
        return [path for path in old if began and path.name not in named and path.stat().st_mtime > began.timestamp()]
