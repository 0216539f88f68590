"""What goes around every request, as plain ASGI: its id, HEAD, its size, and headers of every answer."""

import os
import time

from fastapi import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import NotSignedIn
from app.core.log import request_id
from app.ops import requests
from app.web.answers import Problem, problem
from app.web.origin import SAFE

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    b"frame-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)


HEAD = "desk.head"  # in a scope: nobody will see the body
PROGRAM_MOST = 2 * 1024 * 1024  # bytes of JSON: parsed in one piece, while nothing else is answered
_OPEN = "login refresh passkeys/sign-in passkeys/sign-in/options password/forgot password/reset invitation"
OPEN_TO_STRANGERS = frozenset(f"/api/v1/auth/{path}" for path in _OPEN.split())


class TooLarge(HTTPException):
    """The body went past the limit. FastAPI lets its own kind of exception through, and answers 400 for every other."""

    def __init__(self) -> None:
        super().__init__(413, "This request is larger than the desk takes (UPLOAD_MAX).")


class Gate:
    """The outermost layer. `most` is the largest body, in bytes."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rid = _header(scope, b"x-request-id") or os.urandom(16).hex()
        request_id.set(rid)
        answered, method, came = False, scope["method"], time.perf_counter()

        def count(status: int) -> None:
            nonlocal answered
            answered = True
            requests.answered(method, getattr(scope.get("route"), "path", None), status, time.perf_counter() - came)

        async def decorated(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
                message["headers"] = _with(message["headers"], rid)
            await send(message)

        if _stranger(scope):
            await _refuse_stranger(decorated)
            return
        if scope["method"] == "HEAD":  # a page answers HEAD as it answers GET; the server leaves the body away
            scope = {**scope, "method": "GET", HEAD: True}
        try:
            await self._app(scope, _counted(receive, self._limit(scope)), decorated)
        except TooLarge:
            if not answered:
                await _too_large(scope, decorated)
        finally:
            if not answered:  # the framework, further out, answers what was raised
                count(500)

    def _limit(self, scope: Scope) -> int:
        uploads = (_header(scope, b"content-type") or "").startswith("multipart/")
        return self._most if uploads else min(self._most, PROGRAM_MOST)


def _counted(receive: Receive, most: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise TooLarge
        return message

    return counted


def _stranger(scope: Scope) -> bool:
    """Whether somebody who shows nothing to know them by sends something to the API: it isn't worth reading."""
    if scope["method"] in SAFE or not scope["path"].startswith("/api/") or scope["path"] in OPEN_TO_STRANGERS:
        return False
    return not any(name in {b"authorization", b"cookie"} for name, _ in scope["headers"])


async def _refuse_stranger(send: Send) -> None:
    answer = problem(NotSignedIn())
    headers = [*answer.raw_headers, (b"www-authenticate", b"Bearer")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _header(scope: Scope, wanted: bytes) -> str | None:
    value = next((value for name, value in scope["headers"] if name == wanted), b"")
    return value.decode("ascii", "replace")[:64] or None


def _with(headers: list[tuple[bytes, bytes]], rid: str) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    more = [header for header in HEADERS if header[0] not in given]
    return [*headers, *more, (b"x-request-id", rid.encode())]


async def _too_large(scope: Scope, send: Send) -> None:
    words = TooLarge().detail
    answer: Response = Response(words, media_type="text/plain")
    if scope["path"].startswith("/api/"):
        answer = Problem(413, "too-large", words, words)
    await send({"type": "http.response.start", "status": 413, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body})
