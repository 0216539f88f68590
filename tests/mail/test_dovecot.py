"""The same against a real server: Dovecot, as the demo has it."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from app.config import Settings
from app.intake import imap, mailboxes
from app.intake.comparison import compare
from app.intake.rules.states import MailboxState, MailState
from scripts.load.mail import Server, dovecot
from tests.mail.conftest import Desk
from tests.mail.imap_server import eventually
from tests.mail.test_watch import letter

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
            eventually(lambda n=n: len(desk.ledger()) == n, within=20)  # type: ignore[misc]
        settled(desk, watch)
        assert compare(desk.database, settings, desk.mailbox()).on_server == 0
        desk.pretend(processed_folder=None)
        real.put(USER, letter(3))
        eventually(lambda: len(desk.ledger()) == 3, within=20)
        settled(desk, watch)
    before = desk.mailbox().uidvalidity
    in_the_container(
        real, f"sleep 1; rm -f /mail/{USER}/dovecot-uidlist /mail/{USER}/dovecot-uidvalidity* /mail/{USER}/dovecot.index*"
    )
    real.put(USER, letter(4))
    with desk.watching(settings):
        eventually(lambda: len(desk.ledger()) == 5, within=20)
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
