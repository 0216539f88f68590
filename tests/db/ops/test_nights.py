"""Whether a backup is due is said by the backups before."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from app import config
from app.config import Settings
from app.core import clock
from app.db.session import Database
from app.entry.cli import main
from app.ops.backup import nights
from app.ops.models import Backup, BackupState

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(began: datetime, state: BackupState) -> Backup:
    return Backup(name="x", state=state, recipient="age1", began_at=began)


@pytest.fixture
def ready(settings: Settings) -> Settings:
    """The desk was started long ago."""
    settings.app_run.mkdir(parents=True)
    (settings.app_run / "ready").touch()
    os.utime(settings.app_run / "ready", (0, 0))
    return settings


def due(database: Database, settings: Settings, *rows: Backup) -> datetime | None:
    with database.transaction() as s:
        s.execute(delete(Backup))
        s.add_all(rows)
        s.flush()
        return nights.next_at(s, settings, now=NOON)


def test_the_night_after_the_last_good_one_and_an_hour_after_a_failure(database: Database, ready: Settings) -> None:
    good, tried = row(NOON, BackupState.UNPROVEN), row(NOON + 20 * HOUR, BackupState.FAILED)
    older = row(NOON - 20 * HOUR, BackupState.FAILED)
    assert due(database, ready, good, older) == datetime(2026, 11, 11, 2, tzinfo=UTC)
    assert due(database, ready, row(NOON, BackupState.SOUND), tried) == NOON + 21 * HOUR


def test_a_desk_that_has_just_been_started_makes_up_for_a_missed_night_a_little_later(
    database: Database, settings: Settings
) -> None:
    assert due(database, settings, row(NOON - 99 * HOUR, BackupState.SOUND)) == NOON + timedelta(minutes=10)


def test_switched_off_none_is_due(database: Database, folder: Path) -> None:
    off = config.load({"DATA_DIR": str(folder), "BACKUP_SCHEDULE": "off"}, secrets=folder / "none")
    assert due(database, off, row(NOON, BackupState.SOUND)) is None


def test_who_hears_that_one_was_asked_for_hears_it_once(settings: Settings) -> None:
    assert not nights.was_asked(settings)
    nights.mark(settings).parent.mkdir(parents=True)
    nights.mark(settings).touch()
    assert [nights.was_asked(settings) for _ in range(2)] == [True, False]


@pytest.mark.usefixtures("programs", "room")
def test_the_command_of_the_night_makes_what_is_due_or_asked_for_and_says_when_to_ask_again(
    database: Database, ready: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"DATABASE_URL": database.dsn, "DATA_DIR": str(folder), "RUN_DIR": str(folder / "run")}.items():
        monkeypatch.setenv(name, value)

    def night() -> tuple[int, str]:
        assert main(["backup", "--by-night"]) == 0
        said = capsys.readouterr()
        assert re.fullmatch(r"\d+\n", said.out)
        return int(said.out), said.err

    with database.transaction() as s:
        s.add_all([row(clock.now(), BackupState.SOUND), row(clock.now(), BackupState.RUNNING)])
    seconds, said = night()
    assert (2 <= seconds <= 3600, said) == (True, "")
    with database.reading() as c:
        assert set(c.scalars(select(Backup.state))) == {BackupState.SOUND, BackupState.FAILED}
    nights.mark(ready).touch()
    assert "INFO: atum-" in night()[1]
    with database.transaction() as s:
        s.execute(delete(Backup))
        s.add(row(clock.now() - 30 * HOUR, BackupState.SOUND))
    assert "sound" in night()[1]
    assert night()[1] == ""
