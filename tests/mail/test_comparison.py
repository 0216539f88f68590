"""Server against ledger: 0 missing, or which."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.config import Settings
from app.entry import cli_mail
from app.intake.models import InboundMail
from app.intake.rules.states import MailState
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, Stored, eventually
from tests.mail.test_watch import letter


@pytest.fixture
def settings(desk: Desk, peer: Server) -> Settings:
    """A mailbox of an hour ago: one mail was left to those before us, two were taken since."""
    peer.add(letter(1), flags=r"\Seen", at=datetime.now(UTC) - timedelta(days=2))
    settings = desk.boot(DATABASE_URL=desk.database.dsn)
    desk.pretend(created_at=datetime.now(UTC) - timedelta(hours=1))
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
        peer.uidnext = 3
        peer.add(letter(3), letter(4))
        eventually(lambda: desk.mailbox().last_uid == 4)
    return settings


def compared(settings: Settings, *, as_json: bool = False) -> tuple[int, Any]:
    return cli_mail.compare(settings, argparse.Namespace(json=as_json))


def test_what_was_taken_is_not_missing(settings: Settings) -> None:
    assert compared(settings) == (0, "support@desk.example: 2 on the server, 0 missing")


def test_a_mail_that_the_ledger_lacks_is_named(settings: Settings, peer: Server) -> None:
    peer.mails[2] = Stored(letter(2), set(), datetime.now(UTC))
    code, words = compared(settings)
    assert code == 1
    assert "3 on the server, 1 missing (UID 2;" in words
    assert compared(settings, as_json=True)[1][0]["missing"] == [2]


def test_a_mail_that_the_server_never_gave_is_named(settings: Settings, desk: Desk) -> None:
    with desk.database.transaction() as s:
        s.execute(update(InboundMail).where(InboundMail.uid == 4).values(refusal="[SERVERBUG]", state=MailState.QUARANTINED))
    code, words = compared(settings)
    assert (code, words) == (1, "support@desk.example: 2 on the server, 0 missing, 1 not given by the server (UID 4)")


def test_what_has_just_come_is_not_missing(settings: Settings, peer: Server) -> None:
    peer.add(letter(5))
    assert compared(settings) == (0, "support@desk.example: 3 on the server, 0 missing, 1 not taken yet")


def test_a_folder_that_was_numbered_anew_is_still_to_be_taken(settings: Settings, peer: Server) -> None:
    peer.renumber()
    assert compared(settings) == (0, "support@desk.example: 2 on the server, 0 missing, 2 not taken yet")


def test_comparing_leaves_no_trace(settings: Settings, peer: Server) -> None:
    peer.asked.clear()
    compared(settings)
    assert not any(word in asked for asked in peer.asked for word in ("STORE", "BODY[", "EXPUNGE", "MOVE"))


def test_a_server_that_can_not_be_asked_is_said_in_words(desk: Desk, settings: Settings) -> None:
    closed = desk.boot(DATABASE_URL=desk.database.dsn, IMAP_PASSWORD="wrong")
    code, words = compared(closed)
    assert code == 1
    assert words.startswith("support@desk.example: can't be compared: the server refused to sign ")


def test_without_a_mailbox_it_says_so(desk: Desk) -> None:
    settings = desk.settings(DATABASE_URL=desk.database.dsn)
    assert compared(settings) == (0, cli_mail.NO_MAILBOX)
