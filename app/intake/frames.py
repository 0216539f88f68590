"""Pieces of bytes over a stream, each with its length before it: how parent and child of a reading pair speak."""

import io
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

_LENGTH = struct.Struct(">Q")
_AT_ONCE = 1_000_000  # bytes


def _nothing() -> None:
    """What a second of waiting is used for, unless somebody knows better."""


class Broken(Exception):
    """The other side went away."""


class TooMuch(Exception):
    """The other side wants to send more than it may."""


def send(s: socket.socket, content: bytes | Path, *, until: float | None = None) -> None:
    """A file goes without being held. Raises Broken, or TimeoutError when it is not through by `until` (monotonic clock)."""
    s.settimeout(_left(until))
    try:
        if isinstance(content, bytes):
            s.sendall(_LENGTH.pack(len(content)))
            s.settimeout(_left(until))
            s.sendall(content)
        else:
            with content.open("rb") as file:
                s.sendall(_LENGTH.pack(os.fstat(file.fileno()).st_size))
                s.settimeout(_left(until))
                s.sendfile(file)
    except (BrokenPipeError, ConnectionResetError):
        raise Broken from None


def receive(
    s: socket.socket, *, until: float | None = None, meanwhile: Callable[[], None] = _nothing, most: int | None = None
) -> bytes:
    """The next piece; `meanwhile` is called about once a second. Raises Broken, TimeoutError if not whole by `until`, and TooMuch
    before one of more than `most` bytes is read.
    """
    length: int = _LENGTH.unpack(_exactly(s, _LENGTH.size, until, meanwhile))[0]
    if most is not None and length > most:
        raise TooMuch
    return _exactly(s, length, until, meanwhile)


def _exactly(s: socket.socket, length: int, until: float | None, meanwhile: Callable[[], None]) -> bytes:
    """So many bytes, held once: BytesIO gives its buffer away, where all else would copy it."""
    got = io.BytesIO()
    while (missing := length - got.tell()) > 0:
        left = _left(until)
        s.settimeout(None if left is None else min(left, 1.0))
        try:
            piece = s.recv(min(missing, _AT_ONCE))
        except TimeoutError:
            meanwhile()
            continue
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Broken
        got.write(piece)
    return got.getvalue()


def _left(until: float | None) -> float | None:
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
