"""The process: it wakes when a letter comes, holds the lock alone, outlives the database, and stops when told."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from app.entry.outbox_sender import LONGEST_REST
from app.outbox.models import State
from tests.db.outbox.conftest import Outbox
from tests.db.outbox.sink import Sink

pytestmark = pytest.mark.db


def eventually(true: Callable[[], object], *, within: float = 30.0) -> float:
    """Wait until it holds; the seconds that took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < within, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - start


@contextmanager
def sender(
    outbox: Outbox, sink: Sink, folder: Path, module: str = "app.entry.outbox_sender", **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m app.entry.outbox_sender`, ready to work."""
    (folder / "data/secrets").mkdir(parents=True, exist_ok=True)
    (folder / "data/secrets/secret_key").write_text("6b" * 32)
    (folder / "run/app").mkdir(parents=True, exist_ok=True)
    (folder / "run/app/ready").touch()
    settings = {
        "DATABASE_URL": outbox.database.dsn,
        "DATA_DIR": str(folder / "data"),
        "RUN_DIR": str(folder / "run"),
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(sink.port),
        "SMTP_SECURITY": "none",
        "SMTP_FROM": "support@desk.example",
        **more,
    }
    process = subprocess.Popen([sys.executable, "-m", module], env=settings)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def beat(folder: Path) -> float:
    """When the heart last beat."""
    mark = folder / "run/app/heartbeat/outbox-sender"
    return mark.stat().st_mtime if mark.exists() else 0.0


def test_it_sends_a_letter_as_it_comes_and_not_when_its_rest_is_over(outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    with sender(outbox, sink, tmp_path):
        outbox.put("first")
        eventually(lambda: sink.subjects == ["first"])
        outbox.put("second", ticket=8)
        assert eventually(lambda: len(sink.taken) == 2) < LONGEST_REST - 1


def test_it_stops_at_once_and_not_when_its_rest_is_over(outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    with sender(outbox, sink, tmp_path) as process:
        eventually(lambda: beat(tmp_path))
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_REST - 1) == 0


def test_its_heart_beats_while_a_server_takes_its_time(outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    accepts = threading.Event()
    sink.before_accepting = accepts.wait
    with sender(outbox, sink, tmp_path):
        outbox.put()
        eventually(lambda: outbox.letter().state is State.SENDING)
        for _ in range(2):
            last = beat(tmp_path)
            eventually(lambda last=last: beat(tmp_path) > last)  # type: ignore[misc]
        assert not sink.taken
        accepts.set()
        eventually(lambda: outbox.letter().state is State.SENT)


def test_two_of_them_send_each_letter_once(outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    sink.before_accepting = lambda: time.sleep(0.05)
    with sender(outbox, sink, tmp_path / "a"), sender(outbox, sink, tmp_path / "b"):
        for ticket in range(1, 20):
            outbox.put(f"reply:{ticket}", ticket=ticket)
        eventually(lambda: outbox.letter("reply:19").state is State.SENT)
    assert sorted(sink.subjects) == sorted(f"reply:{ticket}" for ticket in range(1, 20))


def test_a_killed_one_is_followed_by_one_that_finishes_its_work(outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    with sender(outbox, sink, tmp_path) as process:
        sink.before_accepting = process.kill
        outbox.put()
        process.wait(30)
    sink.before_accepting = lambda: None
    with sender(outbox, sink, tmp_path):
        eventually(lambda: outbox.letter().state is State.SENT)
    assert len({one.message["Message-ID"] for one in sink.taken}) == 1


def test_it_goes_on_after_the_database_threw_it_out(outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    with sender(outbox, sink, tmp_path):
        outbox.put("before")
        eventually(lambda: len(sink.taken) == 1)
        with psycopg.connect(outbox.database.dsn, autocommit=True) as c:
            c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outbox-sender'")
        outbox.put("after", ticket=8)
        eventually(lambda: sink.subjects == ["before", "after"])
