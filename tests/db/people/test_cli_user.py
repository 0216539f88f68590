"""`atum user`: people, as an administrator types it."""

import json
from io import StringIO
from pathlib import Path

import pytest

from app import config
from app.accounts import queries
from app.accounts.models import Person
from app.db.session import Database
from app.db.session import now as database_now
from app.entry.cli import main
from app.outbox.house import house
from app.people import actions as people
from tests.db.people import post

PASSWORD = "correct horse battery"


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    for name, value in {"DATABASE_URL": database.dsn, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", StringIO(f"{PASSWORD}\n"))
    return database


def person(db: Database, email: str) -> Person:
    with db.transaction() as s:
        found = queries.by_email(s, email)
        assert found
        return found


def test_somebody_is_added_listed_disabled_and_enabled(desk: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "add", "Bob@desk.example", "--role", "manager", "--password-stdin"]) == 0
    assert main(["user", "list"]) == 0
    assert "bob@desk.example" in capsys.readouterr().out
    assert main(["user", "disable", "bob@desk.example"]) == 0
    assert person(desk, "bob@desk.example").disabled_at
    assert main(["user", "enable", "bob@desk.example"]) == 0
    assert person(desk, "bob@desk.example").disabled_at is None


def test_somebody_is_invited_by_a_letter_that_lets_them_choose_a_password(
    desk: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["user", "invite", "new@desk.example", "--name", "New", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["role"] == "agent"
    with desk.transaction() as s:
        [token] = post.tokens(s, "new@desk.example", house(config.load()))
        people.accept(s, token, password=PASSWORD, now=database_now(s))
    assert person(desk, "new@desk.example").password_hash


def test_the_last_administrator_is_not_disabled_from_the_shell_either(desk: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "add", "root@desk.example", "--role", "admin", "--password-stdin"]) == 0
    assert main(["user", "disable", "root@desk.example"]) == 1
    assert "Make somebody else an administrator first" in capsys.readouterr().err


def test_somebody_is_put_in_a_time_zone_and_out_of_it_again(desk: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "add", "bob@desk.example", "--password-stdin"]) == 0
    assert main(["user", "zone", "bob@desk.example", "Asia/Kathmandu"]) == 0
    assert person(desk, "bob@desk.example").zone == "Asia/Kathmandu"
    assert main(["user", "zone", "bob@desk.example", "Asia/Katmandoo"]) == 1
    assert "is no time zone; did you mean Asia/Kat" in capsys.readouterr().err
    assert person(desk, "bob@desk.example").zone == "Asia/Kathmandu"
    assert main(["user", "zone", "bob@desk.example"]) == 0
    assert "is told times in UTC, the zone of the desk." in capsys.readouterr().out
    assert person(desk, "bob@desk.example").zone is None


@pytest.mark.parametrize("verb", ["disable", "enable", "password", "zone"])
def test_somebody_unknown_is_named(desk: Database, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert main(["user", verb, "nobody@desk.example"]) == 1
    assert "nobody@desk.example" in capsys.readouterr().err
