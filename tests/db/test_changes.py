"""A start with other settings is recorded, without telling what is secret."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from app import config
from app.db.session import Database
from app.db.session import now as database_now
from app.ops import changes
from app.ops.notary import Notary

FIRST = {
    "SMTP_HOST": "smtp.example.com",
    "SMTP_FROM": "desk@example.com",
    "SMTP_USER": "desk",
    "SMTP_PASSWORD": "hunter2-hunter2",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    return tmp_path


def start(database: Database, folder: Path, **environ: str) -> None:
    settings = config.load({"DATA_DIR": str(folder), **environ}, secrets=folder / "none")
    with database.transaction() as s:
        changes.note(s, settings, now=database_now(s))


def recorded(database: Database) -> list[dict[str, object]]:
    with database.reading() as c:
        return list(c.scalars(text("SELECT data -> 'changes' FROM audit_event WHERE kind = 'settings.changed' ORDER BY seq")))


def test_the_first_start_and_the_same_again_record_nothing(database: Database, folder: Path) -> None:
    start(database, folder, **FIRST)
    start(database, folder, **FIRST)
    assert recorded(database) == []


def test_a_change_is_recorded_once_with_before_and_after(database: Database, folder: Path) -> None:
    start(database, folder, **FIRST)
    for _ in range(2):
        start(database, folder, **FIRST, TZ="Europe/Berlin", TRUSTED_PROXIES="10.0.0.0/8")
    assert recorded(database) == [
        {"TZ": {"before": "UTC", "after": "Europe/Berlin"}, "TRUSTED_PROXIES": {"before": None, "after": "10.0.0.0/8"}}
    ]


def test_of_a_secret_only_that_it_changed_is_recorded(database: Database, folder: Path) -> None:
    start(database, folder, **FIRST)
    start(database, folder, **FIRST | {"SMTP_PASSWORD": "canary-secret-1"})
    start(
        database, folder, SMTP_HOST="smtp.example.com", SMTP_FROM="desk@example.com", DATABASE_URL="postgresql://u:canary-2@h/d"
    )
    assert recorded(database) == [
        {"SMTP_PASSWORD": {"secret": "changed"}},
        {
            "SMTP_USER": {"before": "desk", "after": None},
            "SMTP_PASSWORD": {"secret": "removed"},
            "DATABASE_URL": {"secret": "set"},
        },
    ]


def test_no_secret_is_stored_anywhere(database: Database, folder: Path) -> None:
    secrets = {
        "ADMIN_EMAIL": "root@example.com", "ADMIN_PASSWORD": "canary-admin-9", "SMTP_PASSWORD": "canary-smtp-9",
        "IMAP_HOST": "imap.example.com", "IMAP_USER": "desk", "IMAP_PASSWORD": "canary-imap-9",
        "DATABASE_URL": "postgresql://u:canary-db-9@h/d", "REDIS_URL": "redis://:canary-redis-9@h/0",
    }  # fmt: skip
    start(database, folder)
    start(database, folder, **FIRST | secrets)
    with database.reading() as c:
        kept = [*c.scalars(text("SELECT settings FROM settings_seen")), *c.scalars(text("SELECT data FROM audit_event"))]
    assert len(kept) == 2
    assert "canary" not in json.dumps(kept)


def test_a_setting_that_looks_secret_is_in_the_list_of_secrets() -> None:
    suspects = {name.lower() for name in config.NAMES if any(word in name for word in ("PASSWORD", "SECRET", "TOKEN", "_URL"))}
    assert suspects - {"atum_url"} == set(changes.SECRET)


def test_the_days_checkpoint_is_made_once_and_then_costs_nothing(database: Database, folder: Path) -> None:
    settings = config.load({"DATABASE_URL": database.dsn, "DATA_DIR": str(folder)}, secrets=folder / "none")
    for notary in (Notary(database, settings), Notary(database, settings)):
        notary.step()
        notary.step()
    with database.reading() as c:
        assert c.scalar(text("SELECT count(*) FROM audit_checkpoint")) == 1


def test_without_a_key_there_is_no_checkpoint_and_no_failure(database: Database, tmp_path: Path) -> None:
    settings = config.load({"DATABASE_URL": database.dsn, "DATA_DIR": str(tmp_path)}, secrets=tmp_path / "none")
    Notary(database, settings).step()
    with database.reading() as c:
        assert c.scalar(text("SELECT count(*) FROM audit_checkpoint")) == 0
