"""Pieces of bytes over a stream, each with its length before it: how parent and child of a reading pair speak."""

import socket
import struct
import time

_LENGTH = struct.Struct(">Q")


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


def receive(s: socket.socket, *, until: float | None = None) -> bytes:
    """The next piece. Raises Broken, or TimeoutError when it is not whole by `until`."""
    length: int = _LENGTH.unpack(_exactly(s, _LENGTH.size, until))[0]
    return bytes(_exactly(s, length, until))


def _exactly(s: socket.socket, length: int, until: float | None) -> bytearray:
    got = bytearray(length)
    view, at = memoryview(got), 0
    while at < length:
        s.settimeout(_left(until))
        try:
            n = s.recv_into(view[at:], length - at)
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
