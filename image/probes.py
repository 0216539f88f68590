"""One question to each server that has no heartbeat: does it still answer? A server that isn't there at all is not frozen."""

import os
import socket
from collections.abc import Callable

PATIENCE = 1.0  # seconds
HTTP = 80 if os.geteuid() == 0 else 8080


def nginx() -> bool:
    """Any answer on its plain port will do; the health path keeps it out of the access log."""
    return _answers(socket.AF_INET, ("127.0.0.1", HTTP), b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")


def postgres(path: str = "/run/postgresql/.s.PGSQL.5432") -> bool:
    """SSLRequest (PostgreSQL's protocol, 53.2.10) is answered with one byte before anybody signs in, even during recovery."""
    return _answers(socket.AF_UNIX, path, bytes((0, 0, 0, 8, 4, 210, 22, 47)))


def redis(path: str = "/run/redis/redis.sock") -> bool:
    return _answers(socket.AF_UNIX, path, b"PING\r\n")


PROBES: dict[str, Callable[[], bool]] = {"nginx": nginx, "postgres": postgres, "redis": redis}


def _answers(family: socket.AddressFamily, address: str | tuple[str, int], question: bytes) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        try:
            s.connect(address)
            s.sendall(question)
            return bool(s.recv(1))
        except (TimeoutError, BlockingIOError):  # a full queue of unanswered connections says "would block"
            return False
        except OSError:
            return True  # starting, stopping or dead: that is supervisord's to see
