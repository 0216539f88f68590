"""Near the disk's end what is sent is refused in words, whoever sends it, and everything can still be read."""

from collections.abc import Callable
from pathlib import Path

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.errors import DeskError, Unavailable
from app.files import room
from app.web.origin import SAFE

# Who looks after the desk has to come in.
_ALLOWED = ("/api/v1/auth/", "/sign-in", "/sign-out", "/account/second-factor")


class DiskFull(Unavailable):
    """The disk of the desk is nearly full; nothing was changed. Everything can be read; try again once there is room."""

    slug = "disk-full"


class Brake:
    """Plain ASGI. `data` is the folder whose disk counts, `refused` answers a refusal in the asker's own terms."""

    def __init__(self, app: ASGIApp, *, data: Path, refused: Callable[[Request, DeskError], Response]) -> None:
        self._app, self._data, self._refused = app, data, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._stops(scope):
            await self._refused(Request(scope), DiskFull())(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _stops(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] in SAFE or scope["path"].startswith(_ALLOWED):
            return False
        return room.is_short(self._data)
