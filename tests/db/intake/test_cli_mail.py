"""`atum mail`: what came, what became of it, and a person's say, as an administrator types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from app.audit.models import Entry
from app.db.session import Database
from app.db.session import now as database_now
from app.entry.cli import main
from app.files.disk import Blobs
from app.intake import actions
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox
from app.intake.rules.states import MailState
from tests.db.intake.conftest import a_mailbox
from tests.unit.intake.letters import mail

HOSTILE = (
    b"From: eve@evil.example\r\nSubject: x\r\n\r\n\x1b]0;owned\x07\x1b[2Jharmless\rrm -rf\xc2\x9b31m\t\xe2\x80\xaegpj\n\xff\x00"
)
Said = Callable[..., str]


@pytest.fixture
def said(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """What `atum mail …` prints."""
    for name, value in {"DATABASE_URL": database.dsn, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)

    def run(*words: str, code: int = 0) -> str:
        assert main(["mail", *words]) == code
        printed = capsys.readouterr()
        return printed.out if code == 0 else printed.err

    return run


@pytest.fixture
def held(database: Database, tmp_path: Path) -> Callable[..., int]:
    """A mail that waits for a person; its number."""

    def one(raw: bytes, **different: object) -> int:
        with database.transaction() as s:
            now = database_now(s)
            mailbox = s.scalars(select(Mailbox)).first() or a_mailbox(s, now)
            uid = s.query(InboundMail).count() + 1
            fetched = [Fetched(uid, raw, len(raw), now)]
            actions.take(s, mailbox, fetched, uidvalidity=1, large=Blobs(tmp_path / "mail"), now=now)
            row = s.scalars(select(InboundMail).where(InboundMail.uid == uid)).one()
            row.state, row.reason, row.content_key = MailState.QUARANTINED, "it looks strange", f"mail {uid}"
            for name, value in different.items():
                setattr(row, name, value)
            return row.id

    return one


def test_the_list_names_each_mail_its_outcome_and_who_wrote_it(said: Said, held: Callable[..., int]) -> None:
    assert said("list") == "No mail yet.\n"
    first = held(mail(), sender="carol@acme.example", subject="Help")
    second = held(mail(), state=MailState.IGNORED, sender=None)
    lines = said("list").splitlines()
    assert [line.split()[:2] for line in lines] == [[str(second), "ignored"], [str(first), "quarantined"]]
    assert lines[1].split()[3:] == ["carol@acme.example", "Help"]
    assert [row["id"] for row in json.loads(said("list", "--state", "ignored", "--json"))] == [second]
    assert len(said("list", "--limit", "1").splitlines()) == 1


def test_a_mail_is_shown_as_it_came(said: Said, held: Callable[..., int]) -> None:
    small, large = mail("It is brøken.\r\n\r\nCarol"), mail("x" * 1_500_000)
    assert said("show", str(held(small))) == small.decode().replace("\r\n", "\n") + "\n"
    assert said("show", str(held(large))) == large.decode().replace("\r\n", "\n") + "\n"
    assert json.loads(said("show", str(held(small)), "--json"))["raw"] == small.decode()
    assert "There is no mail 99 in the ledger" in said("show", "99", code=1)


def test_nothing_in_a_mail_acts_on_the_terminal_that_shows_it(said: Said, held: Callable[..., int]) -> None:
    shown = said("show", str(held(HOSTILE, subject="\x9b2J", sender="\x9b31m@x"))) + said("list")
    assert "␛]0;owned␇␛[2Jharmless␍rm -rf\ufffd31m\t\ufffdgpj\n\ufffd␀\n" in shown
    assert [c for c in shown if not c.isprintable() and c not in "\n\t"] == []


def test_replayed_released_and_dropped_it_says_what_happens_and_the_audit_knows(
    said: Said, held: Callable[..., int], database: Database
) -> None:
    ids = [held(mail()) for _ in range(3)]
    for verb, id in zip(("replay", "release", "drop"), ids, strict=True):
        assert said(verb, str(id)).startswith(f"Mail {id} ")
    with database.transaction() as s:
        states = {row.id: row.state for row in s.scalars(select(InboundMail))}
        told = s.scalars(select(Entry.kind).where(Entry.kind.startswith("mail.")).order_by(Entry.seq)).all()
    assert [states[id] for id in ids] == [MailState.NEW, MailState.NEW, MailState.IGNORED]
    assert told == ["mail.replayed", "mail.released", "mail.dropped"]
    for verb in ("replay", "release", "drop"):
        assert "There is no mail 99 in the ledger" in said(verb, "99", code=1)
    assert f"Mail {ids[0]} is new; only" in said("drop", str(ids[0]), code=1)
