"""A server that misbehaves in every way we know of: nothing is lost, nothing comes twice, and no other mailbox waits."""

import hashlib
import logging
import socket
import ssl
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db.session import now as database_now
from app.files.disk import Blobs
from app.intake import by_smtp, imap, wire
from app.intake import watch as watches
from app.intake.failure import MailboxFailure
from app.intake.rules import patience
from app.intake.rules.states import FailureClass, MailboxState
from tests.appliance import certificates
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually, running
from tests.unit.intake.letters import mail


def letter(n: int) -> bytes:
    return mail(f"It is broken, {n}.", mail_id=f"<{n}@acme.example>")


def _sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that tries again at once."""
    monkeypatch.setattr(patience, "before_next_try", lambda *_, **__: timedelta(0))


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = certificates.make(tmp_path / "tls")[0]
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    return made


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, certificate.with_name("tls.key"))
    return made


def cut_at(cuts: int, desk: Desk, peer: Server, **settings: str) -> None:
    """At so many places of an answer that gives two mails."""
    length = 5 + 2 * (len(letter(10)) + 120)
    with desk.watching(desk.boot(**settings)):
        eventually(lambda: desk.mailbox().last_ok_at)
        for round in range(cuts):
            peer.cut(round * length // cuts)
            peer.add(letter(100 + 2 * round), letter(101 + 2 * round))
            eventually(lambda round=round: len(desk.ledger()) == 2 * round + 2)  # type: ignore[misc]
    assert peer.cut_after is None
    assert [row.raw_sha256 for row in desk.ledger()] == [_sha(letter(100 + n)) for n in range(2 * cuts)]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("cuts", "how"), [(40, "close"), (10, "reset"), (10, "nothing")])
def test_a_line_cut_anywhere_in_any_way_loses_and_doubles_nothing(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch, cuts: int, how: str
) -> None:
    peer.cut_how = how
    if how == "nothing":
        monkeypatch.setattr(wire, "PATIENCE", 0.3)
    cut_at(cuts, desk, peer)


@pytest.mark.usefixtures("impatient")
def test_a_tls_line_cut_anywhere_loses_and_doubles_nothing(desk: Desk, context: ssl.SSLContext) -> None:
    with running(tls=context) as secure:
        desk.server = secure
        cut_at(10, desk, secure, IMAP_HOST="localhost", IMAP_SSL="true")


def test_a_server_that_accepts_and_says_nothing_is_left_after_thirty_seconds(
    peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (wire.CONNECT, wire.PATIENCE) == (10.0, 30.0)
    monkeypatch.setattr(wire, "PATIENCE", 0.2)
    peer.mute = True
    with pytest.raises(MailboxFailure, match="does not answer: no answer in time") as failure, imap.opened(peer.account()):
        pass
    assert failure.value.kind is FailureClass.TRANSPORT


def test_a_greeting_may_take_longer_than_a_connection(peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CONNECT", 0.1)
    peer.greeting_delay = 0.4
    with imap.opened(peer.account()) as folder:
        assert folder.uidvalidity == 1


@pytest.mark.parametrize("wrong", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL])
def test_a_name_that_nobody_knows_is_a_server_that_is_down(peer: Server, monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    def resolved(*_: object, **__: object) -> None:
        raise socket.gaierror(wrong, "Nobody knows")

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(MailboxFailure, match="does not answer: Nobody knows") as failure, imap.opened(peer.account()):
        pass
    assert failure.value.kind is FailureClass.TRANSPORT


def test_of_several_addresses_the_first_that_answers_is_taken(peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(_: str, port: int, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        addresses = ("127.0.0.1", 1), ("127.0.0.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with imap.opened(peer.account()) as folder:
        assert folder.uidvalidity == 1


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        ("* BYE Too many connections from your address", FailureClass.OVERLOAD),
        ("* BYE [UNAVAILABLE] Back in an hour", FailureClass.OVERLOAD),
        ("* BYE Going down for maintenance", FailureClass.TRANSPORT),
        ("HTTP/1.1 400 Bad Request", FailureClass.TRANSPORT),
        ("* OK {1000000000}", FailureClass.TRANSPORT),
    ],
)
def test_a_greeting_that_is_none_is_told_in_the_servers_words(peer: Server, greeting: str, kind: FailureClass) -> None:
    peer.greeting = greeting
    with pytest.raises(MailboxFailure) as failure, imap.opened(peer.account()):
        pass
    assert failure.value.kind is kind
    assert greeting.removeprefix("* ").removeprefix("OK ").strip("{}") in str(failure.value)


@pytest.mark.usefixtures("impatient")
def test_a_literal_of_a_gigabyte_is_refused_before_it_is_read(desk: Desk, peer: Server) -> None:
    peer.add(letter(1))
    peer.junk = b"* 1 FETCH (UID 1 BODY[] {1000000000}\r\n" + b"x" * 1000
    began = time.monotonic()
    desk.watch().turn()
    assert time.monotonic() - began < 20
    assert desk.mailbox().reason == "the connection was lost: it wants to send 1000000000 bytes at once, and that is too much"
    assert desk.ledger() == []


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_stops_sending_is_left(desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST", 100_000)
    peer.add(letter(1))
    peer.junk = b"* OK and so on\r\n" * 50_000
    desk.watch().turn()
    assert "it sent more than 100000 bytes at once" in str(desk.mailbox().reason)


@pytest.mark.usefixtures("impatient")
def test_a_line_without_an_end_is_left(desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST_LINE", 100_000)
    peer.add(letter(1))
    peer.junk = b"* OK " + b"x" * 1_000_000
    desk.watch().turn()
    assert "it sent a line without an end" in str(desk.mailbox().reason)


def test_a_server_that_drips_is_left(desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LINGER", 0.3)
    peer.add(letter(1))
    peer.drip = 0.01
    settings = desk.boot()
    desk.watch(settings).turn()
    assert "it comes too slowly" in str(desk.mailbox().reason)
    peer.drip = 0.0
    desk.pretend(next_try_at=None)
    with desk.watching(settings):
        eventually(desk.ledger)


def test_a_line_that_is_cut_while_nothing_happens_is_noticed_at_once(desk: Desk, peer: Server) -> None:
    peer.idle_cuts = True
    with desk.watching(desk.boot(EMAIL_POLL_INTERVAL="3600")):
        eventually(lambda: "IDLE" in peer.asked)
        peer.add(letter(1))
        eventually(desk.ledger)
    assert peer.logins == 2


def test_what_is_told_in_one_breath_with_the_consent_to_listen_is_heard(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = desk.boot(EMAIL_POLL_INTERVAL="3600")
    peer.add(letter(1))
    peer.idle_says = "\r\n* 2 EXISTS"
    with desk.watching(settings):
        eventually(lambda: peer.asked.count("IDLE") >= 2)


@pytest.mark.usefixtures("impatient")
def test_a_goodbye_is_told_in_the_servers_words(desk: Desk, peer: Server) -> None:
    peer.add(letter(1))
    peer.junk = b"* BYE [UNAVAILABLE] The disk is full.\r\n"
    desk.watch().turn()
    mailbox = desk.mailbox()
    assert (mailbox.failure_class, "The disk is full." in str(mailbox.reason)) == (FailureClass.OVERLOAD, True)


@pytest.mark.parametrize(
    "words",
    ["[OVERQUOTA] Quota exceeded", "[THROTTLED] Slow down", "[LIMIT] Too much", "User is authenticated but not connected."],
)
def test_a_server_that_has_enough_of_us_is_given_five_minutes(desk: Desk, peer: Server, words: str) -> None:
    peer.select_answer = f"NO {words}"
    desk.watch().turn()
    mailbox = desk.mailbox()
    assert (mailbox.failure_class, mailbox.reason) == (FailureClass.OVERLOAD, words)
    assert peer.logins == 1
    assert desk.watch().turn() > 0
    assert peer.logins == 1


@pytest.mark.parametrize("words", ["[OVERQUOTA] Quota exceeded", "[THROTTLED] Slow down"])
def test_a_server_that_refuses_to_flag_for_want_of_room_still_gives_its_mail(desk: Desk, peer: Server, words: str) -> None:
    peer.store_answer = f"NO {words}"
    peer.add(letter(1))
    with desk.watching() as watch:
        eventually(desk.ledger)
        desk.process()
        watch.settled.set()
        peer.add(letter(2))
        eventually(lambda: len(desk.ledger()) == 2)
    assert desk.mailbox().state is MailboxState.OK


@pytest.mark.usefixtures("impatient")
def test_mails_deleted_while_they_are_fetched_cost_no_other_mail(desk: Desk, peer: Server) -> None:
    uids = peer.add(*(letter(n) for n in range(6)))
    peer.vanishing = {uids[0], uids[3], uids[5]}
    with desk.watching():
        eventually(lambda: len(desk.ledger()) == 3)
        peer.add(letter(9))
        eventually(lambda: len(desk.ledger()) == 4)
    assert [row.raw_sha256 for row in desk.ledger()] == [_sha(letter(n)) for n in (1, 2, 4, 9)]
    assert desk.mailbox().state is MailboxState.OK


def test_gaps_in_the_numbers_are_nothing(desk: Desk, peer: Server) -> None:
    with desk.watching():
        eventually(lambda: desk.mailbox().last_ok_at)
        for gap in (1, 7, 100_000, 4_000_000_000):
            peer.uidnext = gap
            peer.add(letter(gap))
            eventually(lambda gap=gap: desk.ledger() and desk.ledger()[-1].uid == gap)  # type: ignore[misc]
    assert len(desk.ledger()) == 4


def test_a_folder_that_was_renamed_is_named_and_read_again_when_it_is_back(desk: Desk, peer: Server) -> None:
    settings = desk.boot()
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
    peer.add(letter(1))
    peer.select_answer = "NO [NONEXISTENT] Mailbox doesn't exist: INBOX"
    desk.watch(settings).turn()
    assert desk.mailbox().reason == "the folder INBOX can't be opened: [NONEXISTENT] Mailbox doesn't exist: INBOX"
    peer.select_answer = ""
    desk.pretend(next_try_at=None)
    with desk.watching(settings):
        eventually(desk.ledger)


def test_what_is_smuggled_in_before_tls_begins_is_not_listened_to(peer: Server, context: ssl.SSLContext) -> None:
    peer.capabilities = "IMAP4rev1 STARTTLS LOGINDISABLED"
    peer.starttls = context
    peer.inject = b"* CAPABILITY IMAP4rev1 EVIL\r\n"
    with imap.opened(replace(peer.account(), host="localhost")) as folder:
        assert not folder._client.has_capability("EVIL")
        assert folder.uidvalidity == 1


@pytest.mark.parametrize(("interval", "waits"), [("60", 60), ("3600", 300)])
def test_it_looks_by_itself_every_five_minutes_at_the_latest(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch, interval: str, waits: int
) -> None:
    waited: list[float] = []

    def wait(self: Any, seconds: float, stop: threading.Event, wake: threading.Event) -> None:
        waited.append(seconds)
        stop.set()

    monkeypatch.setattr("app.intake.folder.Folder.wait", wait)
    desk.watch(desk.boot(EMAIL_POLL_INTERVAL=interval)).turn()
    assert waited == [waits]


def test_it_looks_back_after_every_reconnection_and_every_six_hours(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = 0.0
    looked: list[float] = []

    def wait(self: Any, seconds: float, stop: threading.Event, wake: threading.Event) -> None:
        nonlocal hours
        hours += 1
        if hours == 20:
            raise MailboxFailure(FailureClass.TRANSPORT, "gone")
        if hours == 22:
            stop.set()

    clock = type("Clock", (), {"monotonic": staticmethod(lambda: hours * 3600 + 1)})
    monkeypatch.setattr(watches, "time", clock)
    monkeypatch.setattr("app.intake.folder.Folder.wait", wait)
    watch = desk.watch()
    monkeypatch.setattr(watch, "_ask_again", lambda *_: looked.append(hours))
    watch.turn()
    watch.turn()
    assert looked == [0, 7, 14, 20]


def test_a_wrong_password_for_a_day_of_faked_time_is_few_tries_and_few_lines(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The real eye on a real server, by a clock that goes to the next try as soon as there is nothing else to do."""
    caplog.set_level(logging.INFO)
    settings = desk.boot()
    at = desk.mailbox().created_at
    end = at + timedelta(hours=24)
    monkeypatch.setattr(watches, "database_now", lambda _: at)
    peer.password = "another"
    watch = desk.watch(settings)
    while at < end:
        watch.turn()
        at = max(desk.mailbox().next_try_at or at, at + timedelta(seconds=5))
    assert 5 <= peer.logins <= 60
    assert len([r for r in caplog.records if r.name.startswith("app.")]) <= 40
    assert desk.mailbox().state is MailboxState.BLOCKED
    tries = peer.logins
    renewed = desk.boot(IMAP_PASSWORD="another")
    with desk.watching(renewed):
        eventually(lambda: desk.mailbox().state is MailboxState.OK)
    assert peer.logins == tries + 1


def test_a_server_that_numbers_like_nobody_may_hides_no_mail_behind_what_came_by_smtp(desk: Desk, peer: Server) -> None:
    desk.boot()
    with desk.database.transaction() as s:
        brought = by_smtp.kept([mail("By SMTP.")], size=100, large=Blobs(desk.folder))
        by_smtp.take(s, {desk.mailbox().id: brought}, now=database_now(s))
    peer.uidvalidity = 0
    assert desk.ledger()[0].uid == peer.add(mail("By IMAP."))[0]
    with desk.watching(desk.settings()):
        eventually(lambda: len(desk.ledger()) == 2)
