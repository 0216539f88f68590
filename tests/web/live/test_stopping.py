"""A process that is asked to stop ends its streams at once: the container has nine seconds for all of it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.accounts.rules import Door
from tests.web.conftest import NO_REDIS, Web

pytestmark = pytest.mark.db
FLAGS = ["--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "20"]


@pytest.fixture
def process(web: Web, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The API as its program runs it, and its port."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "ready").write_text("")
    environ = {"DATABASE_URL": web.desk.db.dsn, "REDIS_URL": NO_REDIS, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        found = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app.main:app", "--fd", str(door.fileno()), *FLAGS],
            env={**environ, "PATH": os.environ["PATH"]},
            pass_fds=[door.fileno()],
        )
        yield found, door.getsockname()[1]
        found.kill()
        found.wait()


def test_a_process_with_open_streams_stops_within_two_seconds(web: Web, process: tuple[subprocess.Popen[bytes], int]) -> None:
    found, port = process
    with socket.create_connection(("127.0.0.1", port), timeout=20) as reader:
        token = web.token(web.cast.alice, Door.API)
        reader.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        heard = b""
        while b"retry: " not in heard:
            heard += reader.recv(4096)
        assert heard.startswith(b"HTTP/1.1 200")

        asked = time.monotonic()
        found.send_signal(signal.SIGTERM)

        while piece := reader.recv(4096):
            heard += piece
        assert heard.endswith(b"0\r\n\r\n")  # ended, not cut off
        found.wait(5)
        assert time.monotonic() - asked < 2
