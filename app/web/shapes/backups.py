"""Backups, as programs read them."""

from datetime import datetime

from app.ops.models import BackupState
from app.web.shapes import Answer


class Counts(Answer):
    """What is in an archive: tables and their rows, files of tickets, large mails; and what the desk itself has lost of these."""

    tables: int
    rows: int
    files: int
    mail: int
    missing: int
    damaged: int


class Backup(Answer):
    """One backup. `sound`: it was restored for practice at `rehearsed_at`, and every table and file was what it had been.

    `unproven` is one that is whole and could not be restored for practice. `problem` says what is wrong. `size` is in bytes.
    `copied_to` is where it is kept as well.
    """

    id: int
    name: str
    state: BackupState
    began_at: datetime
    ended_at: datetime | None
    rehearsed_at: datetime | None
    size: int | None
    contents: Counts | None
    problem: str | None
    copied_to: str | None


class Backups(Answer):
    """Backups, the last first."""

    items: list[Backup]
    next: str | None


class Asked(Answer):
    """What happens now."""

    words: str
