"""A real SMTP server in this process that does what it is told, and remembers what it took."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.outbox.smtp import Account

USER, PASSWORD = "support@desk.example", "open sesame"
PATIENCE = 30.0  # seconds


@dataclass
class Taken:
    """A mail that was answered with 250, or would have been."""

    sender: str | None
    recipient: str
    message: EmailMessage
    raw: bytes


@dataclass
class Sink:
    """Answers each command as its queue says, and with 250 when that is empty. `drop`: hang up after the text that often."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    mail: deque[str] = field(default_factory=deque)
    rcpt: deque[str] = field(default_factory=deque)
    data: deque[str] = field(default_factory=deque)
    drop: int = 0
    before_accepting: Callable[[], object] = lambda: None
    accepts: str = PASSWORD

    def account(self, **different: str | int | None) -> Account:
        """How to reach it."""
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "user": None,
            "password": None,
            "greeting": "desk.example",
        }
        return Account(**{**values, **different})  # type: ignore[arg-type]

    @property
    def subjects(self) -> list[str]:
        """What it took, in order."""
        return [one.message["Subject"] for one in self.taken]

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), self.accepts.encode())
        self.signed_in.append(right)
        return AuthResult(success=right, handled=False)

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if self.mail:
            return self.mail.popleft()
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        answer = self.rcpt.popleft() if self.rcpt else "250 OK"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data:
            return self.data.popleft()
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.before_accepting()
        self.taken.append(Taken(envelope.mail_from, envelope.rcpt_tos[0], message, envelope.content))
        if self.drop:
            self.drop -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 taken"


class Listening(Controller):
    """On a socket that is there already: a port that was only looked up may be somebody else's a moment later."""

    def __init__(self, listening: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._listening = listening

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)

    def _trigger_server(self) -> None:
        """A first visitor, whom a busy machine may keep waiting."""
        with ExitStack() as held:
            visitor = held.enter_context(socket.create_connection((self.hostname, self.port), PATIENCE))
            if self.ssl_context:
                trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
                visitor = held.enter_context(trusting.wrap_socket(visitor))
            visitor.recv(1024)


@contextmanager
def running(sink: Sink, *, tls: ssl.SSLContext | None = None, sign_in: bool = False, secure: str = "none") -> Iterator[Sink]:
    """The sink, listening. `secure`: none, starttls or tls, with the context `tls`."""
    listening = socket.create_server(("127.0.0.1", 0))
    sink.port = listening.getsockname()[1]
    controller = Listening(
        listening,
        sink,
        hostname="127.0.0.1",
        port=sink.port,
        ready_timeout=PATIENCE,
        ssl_context=tls if secure == "tls" else None,
        tls_context=tls if secure == "starttls" else None,
        require_starttls=secure == "starttls",
        authenticator=sink.authenticate if sign_in else None,
        auth_required=sign_in,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield sink
    finally:
        controller.stop(no_assert=True)
