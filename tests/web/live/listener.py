"""A reader of server-sent events that sits on the application itself, in a thread and loop of its own."""

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from fastapi import FastAPI
from starlette.types import Message


@dataclass
class Told:
    """One event as a client sees it."""

    name: str
    data: Any
    id: str | None


@dataclass
class Listener:
    """with Listener(app, headers) as l: … l.heard("ticket")."""

    app: FastAPI
    headers: dict[str, str]
    method: str = "GET"
    status: int = 0
    raw: bytes = b""
    answered: dict[str, str] = field(default_factory=dict)
    over: bool = False
    takes: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Listener":
        self._changed = threading.Condition()
        self.takes.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self.until(lambda: self.status != 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None) -> None:
        self.hang_up()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def hang_up(self) -> None:
        with self._changed:
            if not self.over:
                self._loop.call_soon_threadsafe(self._gone.set)

    def until(self, there: Any, seconds: float = 30.0) -> bool:
        """Wait until this holds; whether it ever did."""
        with self._changed:
            return bool(self._changed.wait_for(there, seconds))

    def heard(self, name: str, *, least: int = 1, seconds: float = 30.0) -> list[Told]:
        """The events of this name, once there are so many."""
        self.until(lambda: len(self._named(name)) >= least, seconds)
        return self._named(name)

    def quiet(self, seconds: float = 1.5) -> list[Told]:
        """Everything heard, after waiting for more."""
        time.sleep(seconds)
        return self.events()

    def events(self) -> list[Told]:
        blocks = self.raw.decode().split("\n\n")[:-1]
        return [told for told in map(_told, blocks) if told]

    def first_id(self) -> str:
        return next(line for line in self.raw.decode().splitlines() if line.startswith("id: ")).removeprefix("id: ")

    def _named(self, name: str) -> list[Told]:
        return [each for each in self.events() if each.name == name]

    def _listen(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._call())
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            with self._changed:
                self.over = True
                self._loop.close()
                self._changed.notify_all()

    async def _call(self) -> None:
        self._gone = asyncio.Event()
        headers = [(b"host", b"localhost"), *((k.lower().encode(), v.encode()) for k, v in self.headers.items())]
        path = "/api/v1/events"
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": self.method,
            "scheme": "https", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": headers, "client": ("192.0.2.1", 1), "server": ("localhost", 443),
        }  # fmt: skip
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await asyncio.to_thread(self.takes.wait)
        with self._changed:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.answered = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                self.raw += message.get("body", b"")
            self._changed.notify_all()


def _told(block: str) -> Told | None:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
    if "event" not in fields:
        return None
    return Told(fields["event"], json.loads(fields["data"]), fields.get("id"))
