"""The wire to an IMAP server: how much it may send, and how long it may take, before it is let go.

imaplib believes whatever size a server announces and makes room for it, and waits for ever for one that sends a byte now and
then. One answer gets `PATIENCE` for each piece, and as a whole a minute more than its bytes take at `SLOWEST`.
"""

import imaplib
import io
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imapclient import IMAPClient, SocketTimeout

from app.intake.rules import hosts

CONNECT = 10.0  # seconds
PATIENCE = 30.0  # seconds of silence
LINGER = 60.0  # seconds that an answer may take, however small
SLOWEST = 5_000  # bytes a second
MOST = 80_000_000  # bytes of one answer: the largest mail that we take, and some that its size does not tell of
LONGEST_LINE = 16_000_000  # bytes: the numbers of two million mails
_PIECE = 65_536  # bytes


class OutOfBounds(OSError):
    """A name that leads back to this machine, given by somebody who may not send us there."""


class _Wire(imaplib.IMAP4):
    """imaplib, reading by a buffer of its own."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, *, anywhere: bool) -> None:
        self._context, self._anywhere = tls, anywhere
        self._came = bytearray()
        self.most = MOST
        self._begin()
        super().__init__(host, port)

    def _create_socket(self, timeout: float | None) -> socket.socket:  # noqa: ARG002 (what imaplib calls it with)
        made = _connected(self.host, self.port, anywhere=self._anywhere)
        try:
            if self._context is not None:
                made = self._context.wrap_socket(made, server_hostname=self.host)
        except (OSError, ValueError):
            made.close()
            raise
        made.settimeout(PATIENCE)
        self._from = made
        return made

    def send(self, data: Any) -> None:
        """A command begins another answer. What came in the clear before TLS began is no part of it (RFC 3501 section 6.2.1)."""
        if self.sock is not self._from:
            self._came.clear()
            self._from = self.sock
        self._begin()
        super().send(data)

    def read(self, size: int) -> bytes:
        """A literal. One that is too large is refused before it is read."""
        if size > self.most - self._taken:
            raise self.abort(f"it wants to send {size} bytes at once, and that is too much")
        whole = io.BytesIO()
        whole.write(self._cut(size))
        while (left := size - whole.tell()) > 0 and self._more():
            whole.write(self._cut(left))
        return whole.getvalue()

    def readline(self) -> bytes:
        start = 0
        while (end := self._came.find(b"\n", start)) < 0:
            start = len(self._came)
            if start > LONGEST_LINE:
                raise self.abort("it sent a line without an end")
            if not self._more():
                end = start
                break
        return self._cut(end + 1)

    @property
    def pending(self) -> bool:
        """Whether something has come that the socket no longer tells of."""
        held = self.sock.pending() if isinstance(self.sock, ssl.SSLSocket) else 0
        return bool(self._came) or held > 0

    def _begin(self) -> None:
        self._taken, self._until = 0, time.monotonic() + LINGER

    def _cut(self, size: int) -> bytes:
        piece = bytes(self._came[:size])
        del self._came[:size]
        return piece

    def _more(self) -> bool:
        """Take what there is; False at the end of the line. A server that said why it goes is quoted."""
        if time.monotonic() > self._until + self._taken / SLOWEST:
            raise self.abort("no answer in time: it comes too slowly")
        piece = self.sock.recv(_PIECE)
        self._came += piece
        self._taken += len(piece)
        if self._taken > self.most:
            raise self.abort(f"it sent more than {self.most} bytes at once")
        if not piece and (bye := self.untagged_responses.get("BYE")):
            raise self.abort(str(bye[-1], "utf-8", "replace"))  # type: ignore[arg-type]
        return bool(piece)


class Client(IMAPClient):  # type: ignore[misc]
    """IMAPClient on such a wire. `anywhere` lets it connect to this machine too."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, *, anywhere: bool) -> None:
        self._anywhere = anywhere
        super().__init__(host, port, ssl=tls is not None, ssl_context=tls, timeout=SocketTimeout(CONNECT, PATIENCE))
        self.normalise_times = False

    def _create_IMAP4(self) -> _Wire:  # noqa: N802 (its name there)
        return _Wire(self.host, self.port, self.ssl_context, anywhere=self._anywhere)

    @contextmanager
    def bounded(self, most: int) -> Iterator[None]:
        """Let each answer have this many bytes and no more."""
        self._imap.most = most
        try:
            yield
        finally:
            self._imap.most = MOST

    def listen(self) -> bool:
        """Have the server tell of what happens (RFC 2177); False where it does not want to. `hush` ends it."""
        self._idle_tag = self._imap._command("IDLE")
        while self._imap._get_response() is not None:  # something may be told before it says that it listens
            if self._imap.tagged_commands[self._idle_tag]:
                del self._imap.tagged_commands[self._idle_tag]
                return False
        return True

    def heard(self, seconds: float) -> bool:
        """Whether the server says something within this time, or hangs up."""
        if self._imap.pending:
            return True
        poll = select.poll()
        poll.register(self.socket(), select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def hush(self) -> None:
        self.idle_done()


def _connected(host: str, port: int, *, anywhere: bool) -> socket.socket:
    """A connection to one of the name's addresses: to that which was looked at, not to what the name means a moment later."""
    failure = OSError(f"there is no address of {host}")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not anywhere and hosts.leads_back(str(address[0])):
            failure = OutOfBounds(f"{address[0]} is this machine itself or nobody's; name the mail server's own address")
            continue
        made = socket.socket(family, kind, protocol)
        made.settimeout(CONNECT)
        try:
            made.connect(address)
        except OSError as wrong:
            made.close()
            failure = wrong
        else:
            return made
    raise failure
