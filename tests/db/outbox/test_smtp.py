"""The door: whom it trusts, how it signs in, and what it says when it can't."""

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.outbox import smtp
from app.outbox.rules import Outcome, Verdict
from app.outbox.smtp import Account, Line
from tests.db.outbox.sink import PASSWORD, USER, Sink, running

CONTENT = b"Subject: Hello\r\n\r\n.a line with a dot\r\n..two\r\n.\r\nend\r\n"
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS", "ignore:Session.login_data")


def deliver(account: Account, content: bytes = CONTENT) -> Outcome:
    """One mail over a line of its own."""
    line = Line(account, connecting=2.0, accepting=2.0)
    try:
        return line.deliver(("support@desk.example",), "carol@acme.example", content)
    finally:
        line.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "sink.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """How the server speaks TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("secure", ["starttls", "tls"])
def test_it_sends_over_tls_to_a_server_the_system_trusts(
    secure: str, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running(Sink(), tls=tls, secure=secure) as sink:
        assert deliver(sink.account(security=secure)).verdict is Verdict.SENT


@pytest.mark.parametrize("secure", ["starttls", "tls"])
def test_it_says_nothing_to_a_server_the_system_does_not_trust(secure: str, tls: ssl.SSLContext) -> None:
    with running(Sink(), tls=tls, secure=secure, sign_in=True) as sink:
        outcome = deliver(sink.account(security=secure, user=USER, password=PASSWORD))
        assert outcome.verdict is Verdict.REFUSED
        assert "is not trusted: self-signed certificate" in outcome.words
        assert (sink.taken, sink.signed_in) == ([], [])


def test_it_never_falls_back_to_plain_text() -> None:
    with running(Sink(), sign_in=True) as sink:
        outcome = deliver(sink.account(security="starttls", user=USER, password=PASSWORD))
        assert outcome.verdict is Verdict.REFUSED
        assert "STARTTLS" in outcome.words
        assert sink.signed_in == []


def test_tls_on_a_plain_port_is_explained() -> None:
    with running(Sink()) as sink:
        outcome = deliver(sink.account(security="tls"))
    assert outcome.verdict is Verdict.UNREACHABLE
    assert "does SMTP_SECURITY fit the port?" in outcome.words


def test_a_password_outside_ascii_works() -> None:
    with running(Sink(accepts="pässwörd"), sign_in=True) as sink:
        assert deliver(sink.account(user=USER, password="pässwörd")).verdict is Verdict.SENT


def test_a_wrong_password_is_tried_once() -> None:
    with running(Sink(), sign_in=True) as sink:
        assert deliver(sink.account(user=USER, password="wrong")).verdict is Verdict.REFUSED
        assert sink.signed_in == [False]


def test_dots_at_the_start_of_a_line_arrive() -> None:
    with running(Sink()) as sink:
        deliver(sink.account())
        assert sink.taken[0].message.get_content().splitlines() == [".a line with a dot", "..two", ".", "end"]


def test_a_name_that_does_not_resolve_is_explained() -> None:
    outcome = deliver(Account("smtp.nowhere.invalid", 25, "none", None, None, "desk.example"))
    assert outcome.verdict is Verdict.UNREACHABLE
    assert outcome.words.startswith("smtp.nowhere.invalid:25 can't be reached: ")


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[Account]:
    """A server that does this with whoever comes first."""
    server = socket.create_server(("127.0.0.1", 0))

    def once() -> None:
        peer, _ = server.accept()
        with peer, contextlib.suppress(OSError):
            serve(peer)

    thread = threading.Thread(target=once, daemon=True)
    thread.start()
    yield Account("127.0.0.1", server.getsockname()[1], "none", None, None, "desk.example")
    server.close()
    thread.join(5)


def dripping(stage: str) -> AbstractContextManager[Account]:
    """A server whose answer to EHLO or to MAIL has no end, and comes byte by byte."""

    def serve(peer: socket.socket) -> None:
        peer.sendall(b"220 hi\r\n")
        with peer.makefile("rb") as heard:
            heard.readline()
            if stage == "sender":
                peer.sendall(b"250 ok\r\n")
                heard.readline()
            for byte in itertools.cycle(b"250-more\r\n"):
                peer.sendall(bytes([byte]))
                time.sleep(0.02)

    return serving(serve)


def silent_after(*answers: bytes) -> AbstractContextManager[Account]:
    """A server that says these, one to each line but the first, and then nothing more."""

    def serve(peer: socket.socket) -> None:
        with peer.makefile("rb") as heard:
            for answer in answers:
                peer.sendall(answer + b"\r\n")
                heard.readline()
            heard.read()

    return serving(serve)


def hanging_up_after(size: int) -> AbstractContextManager[Account]:
    """A server that hangs up after so many bytes of the text."""

    def serve(peer: socket.socket) -> None:
        peer.sendall(b"220 hi\r\n")
        with peer.makefile("rb") as heard:
            for answer in (b"250 ok", b"250 ok", b"250 ok", b"354 go on"):
                heard.readline()
                peer.sendall(answer + b"\r\n")
            heard.read(size)

    return serving(serve)


@contextmanager
def scripted(*answers: bytes | None) -> Iterator[Account]:
    """A server that says these in turn, one to each line it hears, and hangs up at None."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = server.accept()
        with peer, peer.makefile("rb") as heard:
            for answer in answers:
                if answer is None:
                    return
                peer.sendall(answer + b"\r\n")
                if heard.readline() == b"quit\r\n":
                    return
            heard.read()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield Account("127.0.0.1", server.getsockname()[1], "none", None, None, "desk.example")
    server.close()
    thread.join(5)


def test_a_server_without_any_sign_in_is_explained() -> None:
    with scripted(b"220 hi", b"250 ok", b"221 bye") as account:
        outcome = deliver(replace(account, user=USER, password=PASSWORD))
    assert outcome.verdict is Verdict.REFUSED
    assert "it offers no way to sign in that we know (it offers: none)" in outcome.words


def test_the_older_login_works_too() -> None:
    with scripted(
        b"220 hi", b"250-ok\r\n250 AUTH LOGIN", b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6", b"235 welcome", None
    ) as account:
        outcome = deliver(replace(account, user=USER, password=PASSWORD))
    assert outcome.words.startswith("127.0.0.1")
    assert "hung up" in outcome.words


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ((None,), Verdict.UNREACHABLE),
        ((b"554 go away",), Verdict.REFUSED),
        ((b"421 too busy",), Verdict.UNREACHABLE),
        ((b"220 hi", b"250 ok", None), Verdict.UNREACHABLE),
        ((b"220 hi", b"250 ok", b"250 ok", None), Verdict.UNREACHABLE),
        ((b"220 hi", b"250 ok", b"250 ok", b"250 ok", None), Verdict.UNREACHABLE),
        ((b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"554 no valid recipients", b"221 bye"), Verdict.FAILED),
        ((b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go on", None), Verdict.DOUBTFUL),
        ((b"220 hi", b"250 ok", b"nonsense"), Verdict.UNREACHABLE),
        ((b"220 hi", b"250 ok", b"250 " + b"x" * 9000), Verdict.UNREACHABLE),
    ],
)
def test_what_a_conversation_that_breaks_off_means(answers: tuple[bytes | None, ...], verdict: Verdict) -> None:
    with scripted(*answers) as account:
        assert deliver(account, b"x\r\n").verdict is verdict


@pytest.mark.parametrize("heard", range(5))
def test_a_server_that_falls_silent_at_any_verb_is_left_in_time(heard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "ANSWERING", 0.3)
    answers = (b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go on")[:heard]
    start = time.monotonic()
    with silent_after(*answers) as account:
        outcome = deliver(account, b"x\r\n")
    assert outcome.verdict is Verdict.UNREACHABLE
    assert "timed out" in outcome.words
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("stage", ["greeting", "sender"])
def test_a_server_that_talks_one_byte_at_a_time_and_never_comes_to_an_end_is_cut_off(stage: str) -> None:
    with dripping(stage) as account:
        line, start = Line(account, connecting=2.0, accepting=2.0, together=1.0), time.monotonic()
        outcome = line.deliver(("support@desk.example",), "carol@acme.example", CONTENT)
    assert outcome.verdict is Verdict.UNREACHABLE
    assert 0.9 < time.monotonic() - start < 10


def test_a_slow_server_is_no_reason_to_give_up() -> None:
    with running(Sink(before_accepting=lambda: time.sleep(1.0))) as sink:
        line = Line(sink.account(), connecting=2.0, accepting=5.0, together=4.0)
        assert line.deliver(("support@desk.example",), "carol@acme.example", CONTENT).verdict is Verdict.SENT
        line.close()


def test_a_text_that_was_not_handed_over_whole_was_not_taken() -> None:
    with hanging_up_after(100_000) as account:
        outcome = deliver(account, b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200_000)
    assert outcome.verdict is Verdict.RETRY
    assert "broke while the mail was handed over" in outcome.words


def test_a_silent_server_is_in_doubt_after_the_text() -> None:
    with scripted(b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go on") as account:
        outcome = deliver(account)
    assert outcome.verdict is Verdict.DOUBTFUL
    assert "timed out" in outcome.words


def test_the_servers_words_are_one_printable_line() -> None:
    with scripted(b"220 hi", b"250 ok", b"250 ok", b"550-No\x1b[31m\r\n550 such\x00 user\xff", b"221 bye") as account:
        assert deliver(account) == Outcome(Verdict.FAILED, "550 No[31m such user\N{REPLACEMENT CHARACTER}")
