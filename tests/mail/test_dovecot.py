"""The same against a real server: Dovecot, as the demo has it."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from app.config import Settings
from app.intake import actions, imap, mailboxes, stubborn
from app.intake.comparison import compare
from app.intake.rules import structure
from app.intake.rules.states import MailboxState, MailState
from app.tickets.models import Message
from scripts.load.mail import Server, dovecot
from tests.mail.conftest import Desk
from tests.mail.imap_server import eventually
from tests.mail.test_watch import letter
from tests.unit.intake.letters import mail, multipart, part

USER = "support@desk.example"


@pytest.fixture(scope="module")
def real() -> Iterator[Server]:
    with dovecot() as made:
        yield made


@pytest.fixture
def settings(desk: Desk, real: Server) -> Settings:
    return desk.boot(IMAP_PORT=str(real.port), IMAP_PASSWORD="demo", EMAIL_POLL_INTERVAL="3600", DATABASE_URL=desk.database.dsn)


def in_the_container(real: Server, command: str) -> None:
    """Run something where the server keeps its mail."""
    listed = subprocess.run(
        ["docker", "ps", "-q", "--filter", f"publish={real.port}"], check=True, capture_output=True, text=True
    )
    subprocess.run(["docker", "exec", listed.stdout.strip(), "sh", "-c", command], check=True)


def settled(desk: Desk, watch: Any) -> None:
    desk.process()
    watch.settled.set()
    eventually(lambda: all(row.server_acked_at for row in desk.ledger()))


def test_idle_move_and_a_folder_numbered_anew(desk: Desk, real: Server, settings: Settings) -> None:
    desk.pretend(processed_folder="Processed by the desk")
    with desk.watching(settings) as watch:
        eventually(lambda: desk.mailbox().last_ok_at)
        for n in (1, 2):
            real.put(USER, letter(n))
            eventually(lambda n=n: len(desk.ledger()) == n)  # type: ignore[misc]
        settled(desk, watch)
        assert compare(desk.database, settings, desk.mailbox()).on_server == 0
        desk.pretend(processed_folder=None)
        real.put(USER, letter(3))
        eventually(lambda: len(desk.ledger()) == 3)
        settled(desk, watch)
    before = desk.mailbox().uidvalidity
    in_the_container(
        real, f"sleep 1; rm -f /mail/{USER}/dovecot-uidlist /mail/{USER}/dovecot-uidvalidity* /mail/{USER}/dovecot.index*"
    )
    real.put(USER, letter(4))
    with desk.watching(settings):
        eventually(lambda: len(desk.ledger()) == 5)
        desk.process()
        eventually(lambda: desk.mailbox().uidvalidity != before)
    with imap.opened(mailboxes.account(desk.mailbox(), settings)) as folder:
        written = folder.written(folder.after(0))
    assert sorted(id for _, id in written.values()) == ["<3@acme.example>", "<4@acme.example>"]
    states = [row.state for row in desk.ledger()]
    assert (states.count(MailState.DONE), states.count(MailState.DUPLICATE)) == (4, 1)
    compared = compare(desk.database, settings, desk.mailbox())
    assert (compared.on_server, list(compared.missing)) == (2, [])
    assert desk.mailbox().state is MailboxState.OK


def test_of_mails_too_large_their_words(desk: Desk, real: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stubborn, "LARGEST", 1_000_000)
    rest = "x" * 2_000_000
    real.put(
        USER,
        multipart(part("In words."), part(rest, "application/pdf"), mail_id="<plain@x>"),
        multipart(part("<p>As a page.", "text/html"), part(rest, "text/csv; name=a.csv"), mail_id="<html@x>"),
        multipart(part(mail("Within.") + rest.encode(), "message/rfc822"), part("Outside."), mail_id="<attached@x>"),
        mail("a line of it\r\n" * 200_000, mail_id="<long@x>"),
    )
    with desk.watching(settings):
        eventually(lambda: sum(row.header_only for row in desk.ledger()) == 4, within=30)
        desk.process()
    with desk.database.transaction() as s:
        texts = [m.text.partition("]\n\n")[2] for m in s.scalars(select(Message).order_by(Message.id)) if "too large" in m.text]
    assert texts[:3] == ["In words.", "As a page.", "Outside."]
    assert texts[3].startswith("a line of it\na line of it")
    with desk.database.reading() as c:
        kept = len(actions.raw(c, settings, desk.ledger()[-1].id) or b"")
    assert structure.MOST < kept < structure.MOST + 500
