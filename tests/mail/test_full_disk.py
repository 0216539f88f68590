"""What becomes of mail at its server while the disk here is full."""

import time

import pytest

from app.files import room
from app.intake import watch as watches
from app.intake.rules.states import MailboxState
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail


def test_while_the_disk_is_full_mail_stays_at_its_server_as_it_is_and_comes_once_there_is_room(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "LOOK_FOR_ROOM", 0.1)
    with desk.watching(desk.boot(EMAIL_POLL_INTERVAL="3600")):
        eventually(lambda: "IDLE" in peer.asked)
        with monkeypatch.context() as full:
            full.setattr(room, "is_short", lambda _folder: True)
            [waits] = peer.add(mail("It is broken.", mail_id="<1@acme.example>"))
            time.sleep(1)
            assert desk.ledger() == []
            assert desk.mailbox().state is MailboxState.OK
        eventually(desk.ledger)
    assert [row.uid for row in desk.ledger()] == [waits]
