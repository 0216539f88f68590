"""Pieces of bytes over a stream, each with its length before it: how parent and child of a reading pair speak."""

import socket
import struct
import time
from collections.abc import Callable

_LENGTH = struct.Struct(">Q")


def _nothing() -> None:
    """What a second of waiting is used for, unless somebody knows better."""


class Broken(Exception):
    """The other side went away."""


def send(s: socket.socket, content: bytes, *, until: float | None = None) -> None:
    """Raises Broken, or TimeoutError when it is not through by `until` (on the monotonic clock)."""
    s.settimeout(_left(until))
    try:
        s.sendall(_LENGTH.pack(len(content)))
        s.settimeout(_left(until))
        s.sendall(content)
    except (BrokenPipeError, ConnectionResetError):
        raise Broken from None


def receive(s: socket.socket, *, until: float | None = None, meanwhile: Callable[[], None] = _nothing) -> bytes:
    """The next piece; `meanwhile` is called about once a second. Raises Broken, or TimeoutError if not whole by `until`."""
    length: int = _LENGTH.unpack(_exactly(s, _LENGTH.size, until, meanwhile))[0]
    return bytes(_exactly(s, length, until, meanwhile))


def _exactly(s: socket.socket, length: int, until: float | None, meanwhile: Callable[[], None]) -> bytearray:
    got = bytearray(length)
    view, at = memoryview(got), 0
    while at < length:
        left = _left(until)
        s.settimeout(None if left is None else min(left, 1.0))
        try:
            n = s.recv_into(view[at:])
        except TimeoutError:
            meanwhile()
            continue
        except ConnectionResetError:
            n = 0
        if not n:
            raise Broken
        at += n
    return got


def _left(until: float | None) -> float | None:
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
