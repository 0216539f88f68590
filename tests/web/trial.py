"""One application on which everybody tries everything, and nothing lasts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from argon2 import PasswordHasher
from fastapi.routing import APIRoute
from httpx2 import Response
from starlette.testclient import TestClient

from app.accounts import passwords
from app.core import clock
from app.db.redis import Counters
from app.ops.health import Report, Watch
from app.web import describe, forms, manual
from app.web.app import create
from app.web.origin import SAFE
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.furniture import Furniture, furnish, headers
from tests.web.ready import Ready
from tests.web.undone import Undone


class Trial:
    """trial(method, route, who) is the answer that somebody gets who sends what is documented."""

    def __init__(self, web: Web, found: Furniture) -> None:
        self.found, self._web = found, web
        self.db = Undone(web.desk.db)
        self.app = create(replace(web.desk, db=self.db))
        self.app.state.live.life = 0.0
        self.document = describe.document(self.app)
        self.program = TestClient(self.app, "https://localhost", raise_server_exceptions=False, follow_redirects=False)
        self.ready = Ready(Web(self.app, self.app.state.desk, web.cast), found)

    def __call__(self, method: str, route: APIRoute, who: str) -> Response:
        with self.db.again():
            return self.send(**self.prepared(method, plain(route), who))

    def prepared(self, method: str, path: str, who: str) -> dict[str, Any]:
        """The request of somebody who may, with what has to be so before it; inside of a block that undoes it."""
        sent = headers(self.found, who, page=page(path)) | (SAME_ORIGIN if page(path) else {})
        brought = {} if method in SAFE else self.brought(method, path, who, self.ready(method, path, who))
        return {"method": method, "url": self.url(method, path), "headers": sent, **brought}

    def send(self, **request: Any) -> Response:
        """The answer to a request, by a browser that forgets all cookies."""
        self.program.cookies.clear()
        return self.program.request(**request)

    def url(self, method: str, path: str) -> str:
        operation = self.document["paths"].get(path, {}).get(method.lower(), {})
        return self.found.path(method, path) + self.found.query(method, path, manual.query(self.document, operation))

    def body(self, method: str, path: str) -> tuple[str, Any]:
        """Which kind of body a call takes, and one."""
        content = self.document["paths"].get(path, {}).get(method.lower(), {}).get("requestBody", {}).get("content", {})
        for kind, told in content.items():
            return kind, self.found.body(method, path, manual.sample(self.document, told["schema"]))
        return "", None

    def brought(self, method: str, path: str, who: str, instead: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What is sent beside the headers: the documented body, or this one."""
        if page(path):
            cookie = self.found.cookies.get(who)
            csrf = {"csrf": self._web.desk.signer.sign(forms.PURPOSE, cookie)} if cookie else {}
            return {"data": {**(instead or self.found.form(path)), **csrf}}
        kind, body = self.body(method, path)
        if kind == "application/json":
            return {"json": instead or body}
        if "urlencoded" in kind:
            return {"data": body}
        return {"files": {"files": ("a.txt", b"x", "text/plain")}} if kind else {}


@contextmanager
def opened(web: Web, monkeypatch: pytest.MonkeyPatch, kind: type[Trial] = Trial) -> Iterator[Trial]:
    """A furnished desk to try everything on, a thousand times a minute: no throttle, cheap hashes, one event loop for all."""
    monkeypatch.setattr(Counters, "add", lambda *_, **__: 1)
    monkeypatch.setattr(Watch, "report", lambda _: Report("healthy", clock.now(), {}))
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    trial = kind(web, furnish(web))
    with start_blocking_portal(**trial.program.async_backend) as portal:
        trial.program.portal = portal
        yield trial


def plain(route: APIRoute) -> str:
    """A route's path, with nothing in its places but their names."""
    return route.path_format.replace(":key", "")


def page(path: str) -> bool:
    """Whether people see it, not programs."""
    return not path.startswith("/api/") or path.startswith("/api/docs")
