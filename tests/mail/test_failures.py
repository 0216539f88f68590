"""A mailbox that can't be read: told in words, asked with patience, and never in a storm."""

import logging
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.core import clock
from app.intake import imap
from app.intake.failure import MailboxFailure
from app.intake.imap import Account
from app.intake.rules.states import FailureClass, MailboxState
from tests.appliance import certificates
from tests.mail.conftest import Desk
from tests.mail.imap_server import PASSWORD, USER, Server, eventually, running


def kinds(desk: Desk) -> tuple[MailboxState, FailureClass | None, int]:
    mailbox = desk.mailbox()
    return mailbox.state, mailbox.failure_class, mailbox.failures


def past(desk: Desk) -> None:
    """As if the wait were over."""
    desk.pretend(next_try_at=clock.now() - timedelta(seconds=1))


def test_a_wrong_password_is_told_in_the_servers_own_words(desk: Desk, peer: Server) -> None:
    peer.password = "another"
    desk.watch().turn()
    assert desk.mailbox().reason == (f"the server refused to sign {USER} in: [AUTHENTICATIONFAILED] Wrong password.")


def test_a_wrong_password_is_tried_after_1_5_15_60_minutes_and_then_every_6_hours(desk: Desk, peer: Server) -> None:
    peer.password = "another"
    watch = desk.watch()
    waits = []
    for _ in range(7):
        past(desk)
        before = clock.now()
        watch.turn()
        next_try_at = desk.mailbox().next_try_at
        assert next_try_at is not None
        waits.append(round((next_try_at - before).total_seconds() / 60))
    assert waits == [1, 5, 15, 60, 360, 360, 360]
    assert kinds(desk) == (MailboxState.BLOCKED, FailureClass.AUTH, 7)


def test_until_then_the_server_is_left_in_peace_by_a_restart_too(desk: Desk, peer: Server) -> None:
    peer.password = "another"
    desk.watch().turn()
    for _ in range(5):
        desk.boot()
        assert desk.watch().turn() > 0
    assert peer.logins == 1


def test_a_new_password_is_tried_at_once(desk: Desk, peer: Server) -> None:
    peer.password = "another"
    watch = desk.watch()
    for _ in range(6):
        past(desk)
        watch.turn()
    settings = desk.boot(IMAP_PASSWORD="another")
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().state is MailboxState.OK)
    assert desk.mailbox().reason is None
    assert peer.logins == 7


def test_a_new_password_that_is_wrong_too_gets_one_try(desk: Desk, peer: Server) -> None:
    peer.password = "another"
    desk.watch().turn()
    watch = desk.watch(desk.boot(IMAP_PASSWORD="also wrong"))
    watch.turn()
    assert watch.turn() > 0
    assert peer.logins == 2


def test_a_day_of_a_wrong_password_is_a_handful_of_lines(desk: Desk, peer: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="app")
    peer.password = "another"
    settings = desk.boot()
    watch = desk.watch(settings)
    for _ in range(9):  # what the ladder gives a day
        past(desk)
        watch.turn()
    peer.password = PASSWORD
    past(desk)
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().state is MailboxState.OK)
    said = [r.message for r in caplog.records if r.name.startswith("app.intake")]
    assert said.count("the mailbox can't be read; trying again ever more rarely") == 2  # failing, then blocked
    assert said.count("the mailbox can be read again") == 1


def test_a_busy_server_is_no_wrong_password(desk: Desk, peer: Server) -> None:
    peer.password, peer.login_answer = "another", "NO [UNAVAILABLE] Too many simultaneous connections."
    desk.watch().turn()
    assert kinds(desk) == (MailboxState.FAILING, FailureClass.OVERLOAD, 1)


def test_a_missing_folder_is_named(desk: Desk, peer: Server) -> None:
    peer.select_answer = "NO [NONEXISTENT] Unknown folder."
    desk.watch(desk.boot(IMAP_FOLDER="Support")).turn()
    assert "the folder Support can't be opened" in (desk.mailbox().reason or "")
    assert kinds(desk)[1] is FailureClass.FOLDER


def test_a_server_that_is_down_is_asked_again_soon(desk: Desk, peer: Server) -> None:
    desk.watch(desk.boot(IMAP_PORT="1")).turn()
    mailbox = desk.mailbox()
    assert kinds(desk) == (MailboxState.FAILING, FailureClass.TRANSPORT, 1)
    assert mailbox.reason == "127.0.0.1:1 does not answer: Connection refused"
    assert mailbox.next_try_at is not None
    assert mailbox.next_try_at - clock.now() < timedelta(seconds=2)


def test_a_server_without_tls_is_told_apart_from_one_that_is_down(desk: Desk, peer: Server) -> None:
    desk.watch(desk.boot(IMAP_SSL="true")).turn()
    assert kinds(desk)[1] is FailureClass.CERTIFICATE
    assert "IMAP_SSL=false" in (desk.mailbox().reason or "")


def test_a_server_that_says_nothing_is_given_up_in_time(desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.intake.wire.PATIENCE", 0.3)
    peer.silent = True
    desk.watch().turn()
    assert desk.mailbox().reason == "the connection was lost: no answer in time"


def test_a_server_that_hangs_up_on_a_wrong_password_is_not_stormed(desk: Desk, peer: Server) -> None:
    peer.password, peer.login_answer = "another", "* BYE Authentication failed, goodbye."
    desk.watch().turn()
    assert kinds(desk)[1] is FailureClass.AUTH


def test_a_password_beyond_ascii_gets_in(peer: Server) -> None:
    peer.password = "Öffne dich"
    with imap.opened(peer.account("Öffne dich")) as folder:
        assert folder.uidvalidity == 1


def test_a_folder_that_can_only_be_read_is_told_so(desk: Desk, peer: Server) -> None:
    peer.select_answer = "OK [READ-ONLY] done"
    desk.watch().turn()
    assert (
        desk.mailbox().reason == "the folder INBOX can't be opened: it can only be read, and we have to mark what we have taken"
    )


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        return certificates.make(tmp_path / "tls")[0]

    @pytest.fixture
    def secure(self, certificate: Path) -> Iterator[Account]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("tls.key"))
        with running(tls=context) as peer:
            yield replace(peer.account(), host="localhost", tls=True)

    def test_a_certificate_nobody_vouches_for_is_not_trusted(self, secure: Account) -> None:
        with (
            pytest.raises(MailboxFailure, match=r"the certificate of localhost:.* self-signed") as failure,
            imap.opened(secure),
        ):
            pass
        assert failure.value.kind is FailureClass.CERTIFICATE

    def test_a_certificate_for_another_name_is_not_trusted(
        self, secure: Account, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pytest.raises(MailboxFailure, match=r"not valid for '127\.0\.0\.1'"), imap.opened(replace(secure, host="127.0.0.1")):
            pass

    def test_one_that_the_system_trusts_gets_in(
        self, secure: Account, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with imap.opened(secure) as folder:
            assert folder.uidvalidity == 1


@pytest.mark.parametrize("what", ["username", "password", "folder"])
def test_a_line_break_in_a_name_is_refused_before_anything_is_sent(peer: Server, what: str) -> None:
    account = Account(**{**peer.account().__dict__, what: 'x"\r\nA1 DELETE INBOX'})
    with pytest.raises(MailboxFailure, match="control character"), imap.opened(account):
        pass
    assert peer.asked == []


def test_a_mailbox_the_settings_no_longer_name_is_set_aside_and_comes_back(desk: Desk) -> None:
    desk.boot()
    first = desk.mailbox().id
    desk.boot(IMAP_FOLDER="Other")
    assert desk.mailbox().id != first
    desk.boot()
    assert desk.mailbox().id == first
