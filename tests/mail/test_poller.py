"""The process around it: threads looked after, what waits is processed, and it goes when asked."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from app.entry.mail_poller import Poller
from app.intake import outcomes
from app.intake.rules.states import MailboxState, MailState
from app.intake.watch import Watch
from app.ops.health import BEAT_MOST
from app.outbox.models import Letter
from app.tickets import actions as tickets
from app.tickets.models import Ticket
from tests.mail.conftest import Desk
from tests.mail.imap_server import PASSWORD, USER, Server, eventually
from tests.unit.intake.letters import mail

ROOT = Path(__file__).parents[2]


def letter(n: int) -> bytes:
    return mail(f"It is broken, {n}.", mail_id=f"<{n}@acme.example>")


@pytest.fixture
def poller(desk: Desk) -> Iterator[Poller]:
    worker: Any = SimpleNamespace(settings=desk.boot(), stop=threading.Event(), beat=lambda: None)
    made = Poller(worker, desk.database, desk.reader)
    yield made
    made.close()
    for mailbox in made._mailboxes.values():
        mailbox.join()


def until(poller: Poller, true: Any) -> None:
    """Round after round until it is so."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < 30, "it did not come to pass"
        poller.once()


def test_mail_becomes_tickets_and_is_flagged(desk: Desk, peer: Server, poller: Poller) -> None:
    uids = peer.add(*(letter(n) for n in range(5)))
    until(poller, lambda: peer.flagged(r"\Seen") == set(uids))
    assert desk.count(Ticket) == 5


def test_what_an_earlier_process_left_is_processed_first_of_all(desk: Desk, peer: Server, poller: Poller) -> None:
    peer.add(letter(1))
    with desk.watching():
        eventually(desk.ledger)
    peer.password = "another"
    until(poller, lambda: desk.ledger()[0].state is MailState.DONE)


def test_nothing_else_begins_before_the_desk_is_ready(poller: Poller) -> None:
    """Until then the database may be of an older version: what is read of it there is an error in the log."""
    assert not any(thread.is_alive() for thread in poller._beside)
    poller.once()
    assert all(thread.is_alive() for thread in poller._beside)


def test_a_thread_that_died_is_replaced(desk: Desk, peer: Server, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.entry.mail_poller.LOOK_AROUND", 0.0)
    poller.once()
    [first] = poller._mailboxes.values()
    first.ending.set()
    first.join()
    poller.once()
    [second] = poller._mailboxes.values()
    assert second is not first
    assert second.is_alive()


def test_a_mistake_of_ours_in_a_thread_is_told_once_and_outlived(
    desk: Desk, peer: Server, poller: Poller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[float] = []

    def turn(self: Watch) -> float:
        turns.append(time.monotonic())
        raise KeyError("oops")

    monkeypatch.setattr(Watch, "turn", turn)
    until(poller, lambda: len(turns) >= 2)
    assert [r.message for r in caplog.records].count("reading a mailbox failed") == 1


def test_a_mail_that_trips_over_a_mistake_of_ours_gets_three_tries_and_a_person(
    desk: Desk, peer: Server, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = outcomes.settle

    def settle(s: Any, id: int, mail: Any, *args: Any, **kwargs: Any) -> Any:
        if "evil" in mail.subject:
            raise KeyError("oops")
        return real(s, id, mail, *args, **kwargs)

    monkeypatch.setattr(outcomes, "settle", settle)
    monkeypatch.setattr("app.entry.mail_poller.LOOK_AROUND", 0.0)
    peer.add(mail(subject="evil", mail_id="<evil@x>"), letter(1))
    until(poller, lambda: len(desk.ledger()) == 2 and all(row.state is not MailState.NEW for row in desk.ledger()))
    evil, good = desk.ledger()
    assert (evil.state, evil.attempts, evil.reason) == (MailState.QUARANTINED, 3, "KeyError: 'oops'")
    assert evil.ticket is not None
    assert good.state is MailState.DONE


def test_where_even_the_stand_in_fails_the_mail_waits_and_the_others_go_on(
    desk: Desk, peer: Server, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tickets.open

    def open_(*args: Any, **kwargs: Any) -> Any:
        if "evil" in kwargs["subject"] or "Unreadable" in kwargs["subject"]:
            raise KeyError("oops")
        return real(*args, **kwargs)

    monkeypatch.setattr(tickets, "open", open_)
    monkeypatch.setattr("app.entry.mail_poller.LOOK_AROUND", 0.0)
    peer.add(mail(subject="evil", mail_id="<evil@x>"), letter(1))
    until(poller, lambda: len(desk.ledger()) == 2 and all(row.state is not MailState.NEW for row in desk.ledger()))
    evil, good = desk.ledger()
    assert (evil.state, evil.ticket, good.state) == (MailState.QUARANTINED, None, MailState.DONE)


def test_a_database_that_goes_and_comes_back_costs_nothing(desk: Desk, peer: Server, poller: Poller) -> None:
    peer.add(letter(1))
    until(poller, lambda: peer.flagged(r"\Seen"))
    with psycopg.connect(desk.database.dsn, autocommit=True) as c:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        c.execute(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {others}")
    uids = peer.add(letter(2))
    until(poller, lambda: peer.flagged(r"\Seen") >= set(uids))
    assert desk.count(Ticket) == 2
    assert desk.mailbox().failing_since is None


def test_it_looks_for_silence_in_each_mailbox(desk: Desk, peer: Server, request: pytest.FixtureRequest) -> None:
    desk.boot()
    desk.pretend(last_ok_at=desk.mailbox().created_at, created_at=desk.mailbox().created_at - timedelta(hours=7))

    request.getfixturevalue("poller").once()

    def sent() -> int:
        with desk.database.transaction() as s:
            return len(s.scalars(select(Letter).where(Letter.to_address == USER)).all())

    eventually(lambda: sent() == 1)


class TestTheProcess:
    """The real one, started as supervisord starts it."""

    @contextmanager
    def running(self, desk: Desk) -> Iterator["subprocess.Popen[str]"]:
        (desk.folder / "app").mkdir(exist_ok=True)
        (desk.folder / "app" / "ready").touch()
        environ = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": desk.database.dsn,
            "DATA_DIR": str(desk.folder),
            "RUN_DIR": str(desk.folder),
            "IMAP_HOST": "127.0.0.1",
            "IMAP_PORT": str(desk.server.port),
            "IMAP_USER": USER,
            "IMAP_PASSWORD": PASSWORD,
            "IMAP_SSL": "false",
            "SMTP_HOST": "smtp.desk.example",
            "SMTP_FROM": USER,
        }
        command = [sys.executable, "-m", "app.entry.mail_poller"]
        with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as process:
            yield process
            process.kill()

    def test_it_beats_reads_says_little_and_ends_when_it_is_told_to(self, desk: Desk, peer: Server) -> None:
        desk.boot()
        peer.add(letter(1))
        with self.running(desk) as process:
            eventually(lambda: peer.flagged(r"\Seen"))
            assert time.time() - (desk.folder / "app/heartbeat/mail-poller").stat().st_mtime < BEAT_MOST
            began = time.monotonic()
            process.terminate()
            _, said = process.communicate()
        assert time.monotonic() - began < 15  # a quarter of the time between two looks
        assert process.returncode == 0
        assert [json.loads(line)["msg"] for line in said.splitlines()] == ["first look at a mailbox"]

    def test_killed_again_and_again_it_loses_and_doubles_nothing(self, desk: Desk, peer: Server) -> None:
        desk.boot()
        uids = peer.add(*(letter(n).replace(b"carol@", f"carol{n % 5}@".encode()) for n in range(60)))  # one would be a flood
        chance = random.Random(7)
        for _ in range(4):
            with self.running(desk) as process:
                eventually(lambda: peer.logins)
                time.sleep(chance.uniform(0.0, 0.6))
                process.send_signal(signal.SIGKILL)
            peer.logins = 0
        with self.running(desk):
            eventually(lambda: peer.flagged(r"\Seen") == set(uids), within=60)
        assert desk.count(Ticket) == len({row.ticket for row in desk.ledger()}) == len(desk.ledger()) == 60
        assert desk.mailbox().state is MailboxState.OK
