"""The SMTP door and people who mean no good: smuggled mails, commands before TLS, floods, endless lines, endless patience."""

import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.config import Settings
from app.core import clock
from app.intake import smtp
from app.intake.rules import headers, limits
from app.ops.pairs import make_self_signed
from tests.mail.conftest import Desk
from tests.mail.smtp_door import Client, Opened, opened, stuffed
from tests.mail.test_smtp_in import SUPPORT, client, door, raw, settings
from tests.unit.intake.letters import mail

__all__ = ["client", "door", "settings"]

SECOND = (
    b"MAIL FROM:<boss@desk.example>\r\nRCPT TO:<support@desk.example>\r\nDATA\r\nFrom: boss@desk.example\r\n\r\nPay me.\r\n.\r\n"
)
NO_ENDS = [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n\n", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n"]


@pytest.mark.parametrize("no_end", NO_ENDS, ids=repr)
def test_nothing_but_the_one_end_ends_a_mail(desk: Desk, client: Client, no_end: bytes) -> None:
    client.begin(SUPPORT)
    client.send(mail("First") + no_end + SECOND.replace(b"\r\n.\r\n", b"\r\n"))
    client.send(b"\r\n.\r\n")
    assert client.answer().startswith("250")
    assert client.say("NOOP") == "250 OK"
    [row] = desk.ledger()
    found = raw(desk, row.id)
    assert b"Pay me." in found
    assert headers.split(found)[0].first("return-path") == "<carol@acme.example>"


@pytest.mark.parametrize("no_end", NO_ENDS, ids=repr)
def test_what_is_smuggled_with_its_own_end_is_no_second_mail_in_our_ledger(desk: Desk, client: Client, no_end: bytes) -> None:
    """A server that takes `no_end` for text sends the rest as text too, its dots doubled."""
    client.begin(SUPPORT)
    client.send(stuffed(mail("First") + no_end + SECOND))
    assert client.answer().startswith("250")
    assert len(desk.ledger()) == 1


def test_an_end_that_comes_in_pieces_is_an_end(desk: Desk, client: Client) -> None:
    client.begin(SUPPORT)
    client.send(mail("First"))
    for piece in (b"\r", b"\n", b".", b"\r", b"\n"):
        client.send(piece)
        time.sleep(0.01)
    assert client.answer().startswith("250")


def test_bare_carriage_returns_and_line_feeds_are_kept_as_they_came(desk: Desk, client: Client) -> None:
    body = b"one\rtwo\nthree\r\n\rfour\n\r\n"
    client.bring(mail(body))
    assert raw(desk, desk.ledger()[0].id).endswith(mail(body))


@pytest.mark.parametrize("command", [b"BDAT 500 LAST", b"POST / HTTP/1.1", b"GET / HTTP/1.1"])
def test_what_follows_a_command_that_was_not_offered_is_never_read_as_commands(
    desk: Desk, client: Client, command: bytes
) -> None:
    client.say("EHLO x", "MAIL FROM:<carol@acme.example>", f"RCPT TO:<{SUPPORT}>")
    client.send(command + b"\r\n" + b"RSET\r\n" + SECOND)
    assert client.answer().startswith("554")
    assert client.hung_up()
    assert desk.ledger() == []


def test_commands_that_nobody_needs_are_refused_and_not_offered(client: Client) -> None:
    offered = client.say("EHLO x")
    assert offered.splitlines()[-1].startswith("250 ")
    assert {line[4:].split()[0] for line in offered.splitlines()[1:]} == {"SIZE", "8BITMIME", "SMTPUTF8"}
    for line in ("VRFY support", "EXPN staff", "AUTH PLAIN AGEAYg==", "HELP"):
        assert client.say(line).startswith("502")
    assert client.say("STARTTLS").startswith("454")
    assert client.say("MAIL FROM:<a@b.example> AUTH=<>").startswith("555")


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "MAIL",
        "MAIL FROM:",
        "MAIL FROM:<",
        "MAIL FROM:<a@b.example> SIZE=x",
        "RCPT TO:<>",
        "DATA",
        "\\",
        "é",
    ],
)
def test_nonsense_is_refused_and_the_line_stays_usable(desk: Desk, client: Client, line: str) -> None:
    client.say("EHLO x")
    assert client.say(line)[:1] in {"4", "5"}
    assert client.say("RSET") == "250 OK"
    assert client.bring(mail("Hello")).startswith("250")


def test_a_name_with_line_ends_in_it_writes_no_line_of_its_own(desk: Desk, client: Client) -> None:
    client.send(b"EHLO x\rReceived: from the bank\r\n")
    client.answer()
    client.say("MAIL FROM:<carol@acme.example>", f"RCPT TO:<{SUPPORT}>", "DATA")
    client.send(stuffed(mail("Hello")))
    assert client.answer().startswith("250")
    assert b"bank" not in raw(desk, desk.ledger()[0].id)


# Commands before TLS (CVE-2024-34083).


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain, key = make_self_signed(["desk.example"], clock.now())
    (tmp_path / "crt").write_bytes(chain)
    (tmp_path / "key").write_bytes(key)
    made.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    return made


@pytest.fixture
def secure(desk: Desk, settings: Settings, tls: ssl.SSLContext) -> Iterator[Client]:
    with opened(settings, desk.database, lambda: tls) as door, Client(door.port) as made:
        yield made


def test_a_mail_comes_over_tls_and_says_so(desk: Desk, secure: Client) -> None:
    assert "250-STARTTLS" in secure.say("EHLO x") or "250 STARTTLS" in secure.say("EHLO x")
    secure.start_tls()
    offered = secure.say("EHLO x")
    assert "STARTTLS" not in offered
    assert "AUTH" not in offered
    assert secure.say("STARTTLS").startswith("503")
    assert secure.bring(mail("Hello")).startswith("250")
    assert b"with ESMTPS id" in raw(desk, desk.ledger()[0].id)


def test_commands_sent_before_tls_are_not_obeyed_after_it(desk: Desk, secure: Client) -> None:
    secure.say("EHLO before.example")
    secure.send(b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<boss@desk.example>\r\nRCPT TO:<support@desk.example>\r\n")
    assert secure.answer().startswith("220")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secure.socket = context.wrap_socket(secure.socket)
    assert secure.say("DATA").startswith("503")
    assert secure.say("MAIL FROM:<carol@acme.example>").startswith("503")  # what was said before is forgotten, the name too
    assert secure.bring(mail("Hello")).startswith("250")
    assert headers.split(raw(desk, desk.ledger()[0].id))[0].first("return-path") == "<carol@acme.example>"


def test_a_mail_begun_before_tls_is_forgotten(desk: Desk, secure: Client) -> None:
    secure.say("EHLO x", "MAIL FROM:<boss@desk.example>", f"RCPT TO:<{SUPPORT}>", "STARTTLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secure.socket = context.wrap_socket(secure.socket)
    assert secure.say("DATA").startswith("503")


def test_what_is_no_tls_after_starttls_ends_the_connection_alone(desk: Desk, secure: Client) -> None:
    secure.say("EHLO x", "STARTTLS")
    secure.send(b"MAIL FROM:<boss@desk.example>\r\n" * 20)
    while secure.answer():
        pass
    assert desk.ledger() == []


# Sizes.


def test_a_line_may_have_a_thousand_octets_and_not_more(desk: Desk, client: Client) -> None:
    longest = b"x" * 998 + b"\r\n"
    assert client.bring(mail(longest)).startswith("250")
    assert client.bring(mail(b"." + b"x" * 997 + b"\r\n")).startswith("250")
    assert client.bring(mail(b"xx" + longest)).startswith("500 5.6.0")
    for length in (1002, 2003, 5000, 300_000):
        assert client.bring(mail(b"x" * length)).startswith("500 5.6.0"), length
    assert len(desk.ledger()) == 2
    assert client.say("NOOP") == "250 OK"


def test_an_end_within_a_long_line_is_no_end(desk: Desk, client: Client) -> None:
    client.begin(SUPPORT)
    client.send(mail("x" * 1500) + b".\r\n" + b"more\r\n.\r\n")
    assert client.answer().startswith("500")
    assert client.say("NOOP") == "250 OK"


def test_a_command_has_a_length(client: Client) -> None:
    assert client.say("EHLO " + "x" * 600).startswith("500")
    assert client.say("EHLO " + "x" * 100_000).startswith("500")
    assert client.say("EHLO x").startswith("250")


def test_a_mail_as_large_as_allowed_is_taken_and_one_octet_more_is_not(desk: Desk, client: Client, door: Opened) -> None:
    door.door.largest = 200_000
    fits = mail((b"x" * 98 + b"\r\n") * 1990)
    fits += b"y" * (200_000 - len(fits) - 2) + b"\r\n"
    assert client.bring(fits).startswith("250")
    assert client.bring(b"z" + fits) == "552 5.3.4 This mail is too large; the most is 200000 bytes."
    assert len(desk.ledger()) == 1


def test_the_size_is_told_and_one_that_says_it_is_too_large_need_not_come(client: Client, door: Opened) -> None:
    assert f"250-SIZE {50 * 1024 * 1024}" in client.say("EHLO x")
    assert client.say(f"MAIL FROM:<carol@acme.example> SIZE={50 * 1024 * 1024 + 1}").startswith("552")
    assert client.say(f"MAIL FROM:<carol@acme.example> SIZE={50 * 1024 * 1024}").startswith("250")


def test_one_that_goes_on_and_on_is_cut_off(desk: Desk, client: Client, door: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "LONGEST", 0.5)
    client.begin(SUPPORT)
    answer = b""
    began = time.monotonic()
    client.socket.settimeout(0.2)
    while not answer and time.monotonic() - began < 20:
        client.send(b"and on\r\n")
        try:
            answer = client.socket.recv(100)
        except TimeoutError:
            continue
    assert answer.startswith(b"421 4.4.2")
    assert desk.ledger() == []


def test_more_than_a_hundred_recipients_are_put_off(desk: Desk, client: Client) -> None:
    client.say("EHLO x", "MAIL FROM:<carol@acme.example>")
    for n in range(100):
        assert client.say(f"RCPT TO:<support+{n}@desk.example>").startswith("250")
    assert client.say(f"RCPT TO:<{SUPPORT}>").startswith("452 4.5.3")
    assert client.say("DATA").startswith("354")
    client.send(stuffed(mail("Hello")))
    assert client.answer().startswith("250")
    assert len(headers.split(raw(desk, desk.ledger()[0].id))[0].all("delivered-to")) == 100


# Floods.


def test_whoever_says_nothing_is_hung_up_on_with_a_word(desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "IDLE", 0.3)
    with opened(settings, desk.database) as door, Client(door.port) as silent, Client(door.port) as slow:
        assert slow.begin(SUPPORT).startswith("354")
        slow.send(b"Subject: half a line")
        assert silent.answer().startswith("421 4.4.2")
        assert slow.answer().startswith("421 4.4.2")
        assert silent.hung_up()
    assert desk.ledger() == []


def test_somebody_who_guesses_addresses_is_hung_up_on(client: Client) -> None:
    client.say("EHLO x", "MAIL FROM:<carol@acme.example>")
    answers = [client.say(f"RCPT TO:<guess{n}@desk.example>") for n in range(smtp.MOST_ERRORS)]
    assert answers == ["550 5.1.1 There is no such address here."] * smtp.MOST_ERRORS
    assert client.answer() == limits.TOO_MANY_ERRORS
    assert client.hung_up()


def test_after_the_last_word_nothing_is_obeyed_that_was_sent_already(desk: Desk, client: Client) -> None:
    client.say("EHLO x")
    client.send(b"VRFY x\r\n" * smtp.MOST_ERRORS + SECOND)
    while client.answer():
        pass
    assert desk.ledger() == []


def test_unknown_words_are_not_listened_to_for_long(desk: Desk, client: Client) -> None:
    client.say("EHLO x")
    client.send(b"XYZZY\r\n" * 10 + SECOND)
    while client.answer():
        pass
    assert desk.ledger() == []


def test_an_address_with_many_errors_is_not_let_in_for_a_minute_and_others_are(door: Opened) -> None:
    for _ in range(limits.ERRORS // smtp.MOST_ERRORS):
        with Client(door.port, source="127.0.0.2") as guesser:
            guesser.say("EHLO x")
            guesser.send(b"VRFY x\r\n" * smtp.MOST_ERRORS)
            while guesser.answer():
                pass
    with Client(door.port, source="127.0.0.2") as guesser:
        assert guesser.greeting == limits.TOO_MANY_ERRORS
        assert guesser.hung_up()
    with Client(door.port, source="127.0.0.3") as other:
        assert other.greeting.startswith("220")


def test_too_many_mails_of_one_address_are_put_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAILS", 3)
    client.say("EHLO x")
    answers = [(client.say("MAIL FROM:<carol@acme.example>"), client.say("RSET"))[0] for _ in range(4)]
    assert [answer[:3] for answer in answers] == ["250", "250", "250", "451"]


def test_five_hundred_who_only_hold_the_line_keep_no_mail_out(desk: Desk, door: Opened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with ExitStack() as held:
        greetings = [held.enter_context(Client(door.port, source="127.0.0.2")).greeting for _ in range(500)]
        assert sum(greeting.startswith("220") for greeting in greetings) == limits.EACH
        assert greetings.count(limits.TOO_MANY_CONNECTIONS) == 500 - limits.EACH
        began = time.monotonic()
        with Client(door.port, source="127.0.0.3") as real:
            assert real.bring(mail("Real")).startswith("250")
        assert time.monotonic() - began < smtp.IDLE / 2
    told = [record for record in caplog.records if record.name == "app.intake.smtp"]
    assert [record.getMessage() for record in told] == ["connections were refused"]


def test_five_hundred_slow_mails_from_everywhere_keep_no_mail_out(desk: Desk, door: Opened) -> None:
    with ExitStack() as held:
        slow = [held.enter_context(Client(door.port, source=f"127.0.1.{n // 20 + 1}")) for n in range(480)]
        for one in slow:
            assert one.begin(SUPPORT).startswith("354")
            one.send(b"Subject: slow\r\nX: y")
        began = time.monotonic()
        with Client(door.port, source="127.0.0.3") as real:
            assert real.bring(mail("Real")).startswith("250")
        assert time.monotonic() - began < smtp.IDLE / 2
        more = [held.enter_context(Client(door.port, source=f"127.0.2.{n + 1}")).greeting for n in range(21)]
        assert more.count(limits.FULL) == 1
    assert len(desk.ledger()) == 1


def test_whoever_does_not_listen_is_let_go(desk: Desk, door: Opened) -> None:
    with Client(door.port) as deaf:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.send(b"NOOP\r\n" * 1000)
        while deaf.answer():
            pass
    with Client(door.port) as real:
        assert real.bring(mail("Real")).startswith("250")
