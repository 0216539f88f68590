"""Bringing the database to this version."""

import json
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from app import config
from app.config import Settings
from app.db.redis import Counters
from app.db.session import Database
from app.entry import boot
from app.migrations.tables import metadata
from app.ops import migrate


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    environ = {"DATABASE_URL": database.dsn, "RUN_DIR": str(tmp_path / "run"), "DATA_DIR": str(tmp_path)}
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    return config.load(environ, secrets=tmp_path)


def at_revision(owner: Engine, revision: str) -> None:
    with owner.begin() as c:
        c.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    with database.engine.connect() as c:
        assert compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), metadata) == []


def test_a_database_of_this_version_is_left_alone(database: Database) -> None:
    assert migrate.pending(database.engine) == []
    assert migrate.up(database.dsn) == []


def test_data_from_a_newer_version_is_recognised_and_not_touched(owner: Engine, settings: Settings) -> None:
    at_revision(owner, "9999")
    with pytest.raises(boot.GaveUp, match="9999") as gave_up:
        boot.bring_up_to_date(settings)
    assert gave_up.value.code == 65


def test_two_that_start_at_once_migrate_once(database: Database, owner: Engine) -> None:
    with owner.begin() as c:
        c.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate.up(database.dsn))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, done)) == [0, len(list((migrate.SCRIPTS / "versions").glob("*.py")))]


def test_booting_leaves_the_mark_and_a_page_for_later(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counters, "alive", lambda _: True)
    told: list[str] = []
    real = boot.tell

    def tell(settings: Settings, status: str, title: str, words: str) -> None:
        marked = (settings.app_run / "ready").exists()
        told.append(f"{status} {'after' if marked else 'before'} the mark")
        real(settings, status, title, words)

    monkeypatch.setattr(boot, "tell", tell)
    boot.boot(settings)
    assert told == ["starting before the mark"] * 4 + ["unhealthy after the mark"]
    assert (settings.app_run / "ready").read_text() == migrate.head()
    assert json.loads((settings.app_run / "maintenance" / "status.json").read_text())["status"] == "unhealthy"


def test_an_external_database_that_stays_away_ends_the_boot_with_69(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "PATIENCE", 0.2)
    with pytest.raises(boot.GaveUp, match="Check DATABASE_URL") as gave_up:
        boot.wait_for(lambda: False, embedded=False, what="PostgreSQL", setting="DATABASE_URL")
    assert gave_up.value.code == 69
