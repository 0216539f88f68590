"""A real SMTP door on a port of its own, and a client that says exactly what it is told to say."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.config import Settings
from app.db.session import Database
from app.intake.smtp import Door

DOT = b"\r\n.\r\n"


@dataclass
class Opened:
    """A door that strangers may knock at."""

    door: Door
    port: int


@contextmanager
def opened(settings: Settings, database: Database, tls: Callable[[], ssl.SSLContext | None] = lambda: None) -> Iterator[Opened]:
    """The door, as the smtp-in process has it, in a thread."""
    ready, found = threading.Event(), []
    loop = asyncio.new_event_loop()

    async def stand() -> None:
        door = Door(settings, database, tls=tls)
        server = await loop.create_server(door.connection, "127.0.0.1", 0, backlog=1024)
        found.append((door, server, server.sockets[0].getsockname()[1]))
        ready.set()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(stand(), loop)
    assert ready.wait(10)
    [(door, server, port)] = found

    async def shut() -> None:
        server.close()
        for connection in list(door.connections):
            connection.end("421 over")
        while door.connections:  # noqa: ASYNC110 (each goes by itself)
            await asyncio.sleep(0.01)

    try:
        yield Opened(door, port)
    finally:
        asyncio.run_coroutine_threadsafe(shut(), loop).result(20)
        door.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Client:
    """Speaks SMTP word for word. `source` is the address it comes from."""

    def __init__(self, port: int, *, source: str = "127.0.0.1", timeout: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0))
        self._read = b""
        self.greeting = self.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def say(self, *lines: str) -> str:
        """Each line, and the answer to the last."""
        answer = ""
        for line in lines:
            self.send(line.encode() + b"\r\n")
            answer = self.answer()
        return answer

    def answer(self) -> str:
        """The next whole answer; empty where the line was hung up."""
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            while b"\n" not in self._read:
                try:
                    more = self.socket.recv(65536)
                except ConnectionError:
                    more = b""
                if not more:
                    return "\n".join(lines)
                self._read += more
            line, _, self._read = self._read.partition(b"\n")
            lines.append(line.decode().rstrip("\r"))
        return "\n".join(lines)

    def hung_up(self) -> bool:
        """Whether nothing more comes."""
        return self.answer() == ""

    def begin(self, *to: str, sender: str = "carol@acme.example") -> str:
        """Up to the DATA command's answer."""
        return self.say("EHLO mx.acme.example", f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in to), "DATA")

    def bring(self, raw: bytes, *to: str, sender: str = "carol@acme.example") -> str:
        """A whole mail, dots doubled as they have to be; the answer to its end."""
        found = self.begin(*(to or ("support@desk.example",)), sender=sender)
        if not found.startswith("354"):
            return found
        self.send(stuffed(raw))
        return self.answer()

    def start_tls(self) -> str:
        """STARTTLS and the handshake, with whatever certificate there is; what it is called."""
        said = self.say("EHLO mx.acme.example", "STARTTLS")
        assert said.startswith("220"), said
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        return said


def stuffed(raw: bytes) -> bytes:
    """A mail as it goes over the line (RFC 5321 section 4.5.2), with its end."""
    body = raw.replace(b"\r\n.", b"\r\n..")
    body = b"." + body if body.startswith(b".") else body
    return body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n"
