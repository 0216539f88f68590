"""A server that answers is well, one that keeps silent is frozen, and one that isn't there is not for us to judge."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from image import probes

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PATIENCE", 0.2)


@contextmanager
def server(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """Takes one connection, keeps what it was asked, and answers."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1)

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                asked.append(client.recv(100))
                if answer:
                    client.sendall(answer)
                with suppress(OSError):  # the probe hangs up as soon as it knows
                    client.recv(1)

        serving = threading.Thread(target=serve)
        serving.start()
        yield asked
        serving.join(5)


def test_postgresql_is_asked_for_tls_and_answers_one_byte(tmp_path: Path) -> None:
    with server(tmp_path / "s", b"N") as asked:
        assert probes.postgres(str(tmp_path / "s"))
    assert asked == [SSL_REQUEST]


def test_redis_is_pinged(tmp_path: Path) -> None:
    with server(tmp_path / "s", b"+PONG\r\n") as asked:
        assert probes.redis(str(tmp_path / "s"))
    assert asked == [b"PING\r\n"]


def test_a_silent_server_does_not_answer(tmp_path: Path) -> None:
    with server(tmp_path / "s", b""):
        assert not probes.redis(str(tmp_path / "s"))


def test_a_server_that_is_not_there_is_not_frozen(tmp_path: Path) -> None:
    assert probes.redis(str(tmp_path / "nobody"))
