"""Bytes that no row names. Of large mails: their process was killed, or the database went, before the commit. Of files: that,
or an answer was taken back, or the mail they came with became nothing.

Whoever brought such a mail has it still, and it was taken, or refused, once more. A month is time for whoever put back an older
database; and what lies there since before its first row is not this database's to judge.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sqlalchemy import TextClause, text

from app.config import Settings
from app.core import clock
from app.db.session import Database
from app.files.disk import Blobs
from app.intake import actions

EVERY = 24 * 3600.0  # seconds
KEPT = 30 * 24 * 3600.0  # seconds
# Since when blobs are named, and which of those that begin so: in one statement, since a name passes from one table to another.
_MAILS = text("""
SELECT (SELECT taken_at FROM inbound_mail ORDER BY id LIMIT 1), array(SELECT blob FROM inbound_mail WHERE blob LIKE :start)
""")
_FILES = text("""
SELECT (SELECT created_at FROM attachment ORDER BY id LIMIT 1), array(
    SELECT blob FROM attachment WHERE blob LIKE :start
    UNION ALL SELECT file ->> 'blob' FROM planned_answer, jsonb_array_elements(files) file WHERE file ->> 'blob' LIKE :start
    UNION ALL SELECT file ->> 'blob' FROM suggestion, jsonb_array_elements(files) file WHERE file ->> 'blob' LIKE :start
)
""")


class Sweeper:
    """Looks once a day."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._kinds = ((actions.blobs(settings), _MAILS), (Blobs(settings.data_dir / "files"), _FILES))

    def turn(self) -> float:
        """Remove what nobody names; the seconds to wait before the next time."""
        for path in self.forgotten():
            if path.stat().st_mtime < clock.epoch() - KEPT:  # else it was put once more this moment
                path.unlink()
        return EVERY

    def forgotten(self) -> Iterator[Path]:
        """What nobody has named for so long."""
        for blobs, named in self._kinds:
            yield from self._forgotten(blobs, named, clock.epoch() - KEPT)

    def _forgotten(self, blobs: Blobs, named: TextClause, since: float) -> Iterator[Path]:
        """A folder at a time, however many there are."""
        for start, paths in groupby(blobs.untouched(since), key=lambda path: path.name[:2]):
            old = list(paths)
            with self._database.reading() as c:
                began, known = c.execute(named, {"start": f"{start}%"}).one()
            yield from (path for path in old if began and path.name not in known and path.stat().st_mtime > began.timestamp())
