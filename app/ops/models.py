"""What the desk remembers of itself."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table, words


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


class BackupState(StrEnum):
    """What is known of a backup. Sound: it was restored once, and every table and file was what it had been."""

    RUNNING = "running"
    SOUND = "sound"
    UNPROVEN = "unproven"
    FAILED = "failed"


class Backup(Table):
    """One archive, or the try to make one. `contents` counts what is in it; `problem` says what is wrong, in words."""

    __tablename__ = "backup"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[BackupState] = mapped_column(words(BackupState, "state"))
    recipient: Mapped[str]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    rehearsed_at: Mapped[datetime | None]
    size: Mapped[int | None]
    contents: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    problem: Mapped[str | None]
    copied_to: Mapped[str | None]


class BackupKey(Table):
    """A key that archives were made for, known by its public half, and when somebody had the secret one printed."""

    __tablename__ = "backup_key"
    recipient: Mapped[str] = mapped_column(primary_key=True)
    shown_at: Mapped[datetime]
