"""One open stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

While nothing happens it is a socket and a queue: no thread, and no connection to the database.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import Response
from pydantic_core import to_json
from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from app.accounts.identity import Identity
from app.web.gate import HEAD

WAITING_MOST = 200  # events that a slow reader may be behind
HEARTBEAT = 15.0  # seconds
LIFE = 3600.0  # seconds; then the client comes back, and is looked at anew
SEND_MOST = 20.0  # seconds for one piece
COME_BACK = (2000, 3000)  # milliseconds: from, and how many more by chance, so that not all come back at once
BEAT = b": still here\n\n"


class Stream:
    """One reader. `after` is the last entry of the audit that it has been told or had no business with.

    Everything but `offer` and `end` belongs to the reader's own event loop.
    """

    def __init__(self, who: Identity, check: Callable[[Connection], Identity], *, after: int, stale: bool) -> None:
        self.who = who
        self.check = check
        self.after = after
        self.stale = stale  # the client knows a place that is not ours, or too long ago
        self.caught_up = False
        self.over = False
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()

    def offer(self, event: bytes) -> None:
        """From any thread: one more event. Whoever reads too slowly is ended, and goes on from where they were."""
        self._soon(self._put, event)

    def end(self) -> None:
        """From any thread: nothing more is sent."""
        self._soon(self._stop)

    async def next(self, seconds: float) -> bytes | None:
        """The next piece, a heartbeat when nothing comes, None at the end."""
        try:
            async with asyncio.timeout(seconds):
                piece = await self._waiting.get()
        except TimeoutError:
            piece = BEAT
        return None if self.over else piece  # what was over before has an empty piece waiting

    def _soon(self, what: Callable[..., None], *given: Any) -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(what, *given)

    def _put(self, event: bytes) -> None:
        if self._waiting.qsize() >= WAITING_MOST:
            self._stop()
        elif not self.over:
            self._waiting.put_nowait(event)

    def _stop(self) -> None:
        self.over = True
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(b"")


def written(event: str, data: Any, *, id: int | None = None) -> bytes:
    """One event on the wire."""
    place = b"" if id is None else b"id: %d\n" % id
    return place + b"event: %s\ndata: %s\n\n" % (event.encode(), to_json(data))


class EventStream(Response):
    """The answer that a stream is. It ends when the reader goes, when the stream is ended, and after its time."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream, *, leave: Callable[[Stream], None], life: float = LIFE) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._stream, self._leave, self._life = stream, leave, life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(self._watch(receive))
        gone.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._read_on(send, 0.0 if scope.get(HEAD) else self._life)
            await self._send(send, b"", more=False)
        except (OSError, TimeoutError):
            pass  # the reader went, or takes nothing more
        finally:
            gone.cancel()
            self._leave(self._stream)

    async def _read_on(self, send: Send, life: float) -> None:
        stream, loop = self._stream, asyncio.get_running_loop()
        until = loop.time() + life
        await self._send(send, b"retry: %d\nid: %d\n\n" % (COME_BACK[0] + secrets.randbelow(COME_BACK[1]), stream.after))
        if stream.stale:
            await self._send(send, written("reset", {"seq": stream.after}, id=stream.after))
        while (left := until - loop.time()) > 0 and (piece := await stream.next(min(left, HEARTBEAT))) is not None:
            await self._send(send, piece)

    @staticmethod
    async def _send(send: Send, piece: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(SEND_MOST):
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    async def _watch(self, receive: Receive) -> None:
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._stream.end()
