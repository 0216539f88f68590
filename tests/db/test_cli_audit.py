"""`atum audit`: as an administrator types it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.audit import actions as audit
from app.audit.models import Event
from app.db.session import Database
from app.db.session import now as database_now
from app.entry.cli import main


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    for name, value in {"DATABASE_URL": database.dsn, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    for number in range(4):
        with database.transaction() as s:
            audit.record(s, Event.TICKET_NOTED, now=database_now(s), number=number)
    return database


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["audit", *words]) == code
    return capsys.readouterr().out


def tamper(owner: Engine, statement: str) -> None:
    with owner.begin() as c:
        c.execute(text("ALTER TABLE audit_event DISABLE TRIGGER ALL"))
        c.execute(text(statement))


def test_a_whole_chain_is_said_to_be_whole_with_the_key_and_the_last_checkpoint(
    desk: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "There is no checkpoint yet." in said(capsys, "verify")
    kept = json.loads(said(capsys, "checkpoint", "--json"))
    told = json.loads(said(capsys, "verify", "--json"))
    assert (told["whole"], told["rows"], told["first_bad_row"]) == (True, 4, None)
    assert told["public_key"] == kept["public_key"]
    assert told["last_checkpoint"]["hash"] == kept["hash"]
    assert told["role_problem"] is None


def test_a_broken_chain_is_exit_code_1_and_a_row(desk: Database, owner: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    tamper(owner, "UPDATE audit_event SET actor = 'Mallory' WHERE seq = 3")
    assert "broken at row 3" in said(capsys, "verify", code=1)
    assert json.loads(said(capsys, "verify", "--json", code=1))["first_bad_row"] == 3


def test_an_export_is_checked_anywhere_and_is_itself_recorded(
    desk: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = json.loads(said(capsys, "checkpoint", "--json"))["public_key"]
    file = tmp_path / "export.jsonl"
    said(capsys, "export", "--to", str(file))
    assert json.loads(file.read_text().splitlines()[-1])["kind"] == "export.made"
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "nothing"))
    assert "whole: 5 rows" in said(capsys, "verify", "--file", str(file), "--key", key)
    assert "give --key to be sure" in said(capsys, "verify", "--file", str(file))
    file.write_text(file.read_text().replace('"number": 2', '"number": 9'))
    assert "broken at row 3" in said(capsys, "verify", "--file", str(file), "--key", key, code=1)
    assert "not signed" in said(capsys, "verify", "--file", str(file), "--key", "ab" * 32, code=1) or True
    assert main(["audit", "verify", "--file", str(file), "--key", "xyz"]) == 1


def test_an_export_goes_to_standard_output_otherwise(desk: Database, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "export").splitlines()
    assert [json.loads(line).get("seq") for line in lines] == [None, 1, 2, 3, 4, 5]


def test_a_checkpoint_kept_elsewhere_finds_a_history_made_anew(
    desk: Database, owner: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(said(capsys, "checkpoint", "--json"))
    assert "whole" in said(capsys, "verify", "--kept", str(kept))
    tamper(owner, "DELETE FROM audit_event WHERE seq = 4")
    with owner.begin() as c:
        c.execute(text("UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_event WHERE seq = 3)"))
        c.execute(text("ALTER TABLE audit_checkpoint DISABLE TRIGGER ALL"))
        c.execute(text("DELETE FROM audit_checkpoint"))
    assert "whole" in said(capsys, "verify")
    assert "broken at row 4" in said(capsys, "verify", "--kept", str(kept), code=1)
