"""The smtp-in process: killed at any moment it has lost nothing that it said it has, and it goes when it is asked to."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.config import Settings
from app.db.session import now as database_now
from app.intake import by_smtp
from app.intake.rules.states import MailState
from app.tickets.models import Message, Ticket
from tests.mail.conftest import Desk
from tests.mail.imap_server import eventually
from tests.mail.smtp_door import Client, stuffed
from tests.unit.intake.letters import mail

ROOT = Path(__file__).parents[2]
SUPPORT = "support@desk.example"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """The port, which outlives the process as supervisord's does."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as made:
        yield made


@pytest.fixture
def settings(desk: Desk) -> Settings:
    made = desk.boot(SMTP_IN="on", SMTP_IN_DOMAINS="desk.example")
    with desk.database.transaction() as s:
        by_smtp.ensure(s, made, now=database_now(s))
    (made.app_run).mkdir(parents=True, exist_ok=True)
    (made.app_run / "ready").touch()
    return made


@contextmanager
def running(desk: Desk, door: socket.socket, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process, on that port."""
    environ = {
        "DATABASE_URL": desk.database.dsn,
        "DATA_DIR": str(desk.folder),
        "RUN_DIR": str(desk.folder),
        "SMTP_IN": "on",
        "SMTP_IN_DOMAINS": "desk.example",
        "SMTP_FROM": SUPPORT,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", *(command or ("app.entry.smtp_in",))],
        cwd=ROOT,
        env=environ,
        stdin=door.fileno(),
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def port(door: socket.socket) -> int:
    return int(door.getsockname()[1])


def letter(n: int) -> bytes:
    return mail(f"It is broken, {n}.", mail_id=f"<{n}@acme.example>")


def connected(client: Client) -> None:
    """Nothing said yet."""


def named(client: Client) -> None:
    client.say("EHLO mx.acme.example")


def sender_given(client: Client) -> None:
    client.say("EHLO mx.acme.example", "MAIL FROM:<carol@acme.example>")


def recipient_given(client: Client) -> None:
    client.say("EHLO mx.acme.example", "MAIL FROM:<carol@acme.example>", f"RCPT TO:<{SUPPORT}>")


def half_sent(client: Client) -> None:
    client.begin(SUPPORT)
    client.send(letter(0)[:50])


def all_but_the_end(client: Client) -> None:
    client.begin(SUPPORT)
    client.send(letter(0) + b"\r\n.")


STATES: list[Callable[[Client], None]] = [connected, named, sender_given, recipient_given, half_sent, all_but_the_end]


def test_killed_in_any_state_it_has_what_it_said_it_has_and_the_mail_sent_again_is_one(
    desk: Desk, settings: Settings, listening: socket.socket
) -> None:
    for state in STATES:
        with running(desk, listening) as process, Client(port(listening)) as client:
            state(client)
            process.kill()
            assert client.hung_up()
    assert desk.ledger() == []
    for command in ("before", "after"):
        with running(desk, listening, "tests.mail.smtp_child", command), Client(port(listening)) as client:
            client.begin(SUPPORT)
            client.send(stuffed(letter(1)))
            assert client.hung_up()  # no 250
    assert len(desk.ledger()) == 1  # what was committed is there, told or not
    with running(desk, listening), Client(port(listening)) as client:
        for n in (0, 1, 2):
            assert client.bring(letter(n)).startswith("250")
    desk.process()
    assert desk.count(Ticket) == desk.count(Message) == 3
    assert sorted(row.state for row in desk.ledger()) == [MailState.DONE] * 3 + [MailState.DUPLICATE]


def test_it_leaves_signs_of_life_and_goes_when_asked_with_a_word_to_who_is_there(
    desk: Desk, settings: Settings, listening: socket.socket
) -> None:
    mark = settings.app_run / "heartbeat" / "smtp-in"
    with running(desk, listening) as process, Client(port(listening)) as client:
        eventually(mark.exists)
        before = mark.stat().st_mtime_ns
        eventually(lambda: mark.stat().st_mtime_ns > before)
        client.begin(SUPPORT)
        process.send_signal(signal.SIGTERM)
        assert client.answer().startswith("421 4.3.2")
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read() == b""
    assert desk.ledger() == []


def test_before_the_desk_is_ready_whoever_comes_waits(desk: Desk, settings: Settings, listening: socket.socket) -> None:
    (settings.app_run / "ready").unlink()
    with running(desk, listening) as process:
        eventually((settings.app_run / "heartbeat" / "smtp-in").exists)
        with socket.create_connection(("127.0.0.1", port(listening)), 5) as early:
            early.settimeout(0.3)
            with pytest.raises(TimeoutError):
                early.recv(1)
            (settings.app_run / "ready").touch()
            early.settimeout(10)
            assert early.recv(3) == b"220"
        assert process.poll() is None


def test_strangers_do_not_fill_the_log(desk: Desk, settings: Settings, listening: socket.socket) -> None:
    with running(desk, listening) as process:
        for _ in range(30):
            with Client(port(listening)) as client:
                if not client.greeting.startswith("220"):
                    continue
                client.say("EHLO x", "MAIL FROM:<carol@acme.example>")
                client.send(
                    b"RCPT TO:<victim@elsewhere.example>\r\nRCPT TO:<nobody@desk.example>\r\n\xff\xfe\r\nXYZZY\r\nSTARTTLS\r\n"
                    * 5
                )
                while client.answer():
                    pass
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=10)
    assert 1 <= len(said.splitlines()) <= 4, said.decode()


@pytest.mark.timeout(180)
def test_fifty_megabytes_are_taken_in_seconds_through_little_memory_and_one_more_is_not(
    desk: Desk, settings: Settings, listening: socket.socket
) -> None:
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"
    largest = 50 * 1024 * 1024
    head = mail(b"")
    whole = head + line * ((largest - len(head)) // len(line))
    with running(desk, listening) as process, Client(port(listening), timeout=60) as client:
        assert client.bring(mail("Warm up")).startswith("250")
        idle = peak(process.pid)
        began = time.monotonic()
        assert client.bring(whole).startswith("250")
        took = time.monotonic() - began
        grown = peak(process.pid) - idle
        assert client.bring(whole + line * 14_000).startswith("552 5.3.4")
    assert took < 20, took
    assert grown < 40, grown
    assert [row.size > largest - 1000 for row in desk.ledger()] == [False, True]


def peak(pid: int) -> float:
    """The most memory that a process has had, in MB."""
    [said] = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmHWM")]
    return int(said.split()[1]) / 1024
