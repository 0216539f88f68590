"""One application on which everybody tries everything, and nothing lasts."""

from dataclasses import replace
from typing import Any

from fastapi.routing import APIRoute
from httpx2 import Response
from starlette.testclient import TestClient

from app.web import describe, forms, manual
from app.web.app import create
from app.web.origin import SAFE
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.furniture import Furniture, headers
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

    def __call__(self, method: str, route: APIRoute, who: str, **more: str) -> Response:
        path = plain(route)
        sent = headers(self.found, who, page=page(path) or bool(more)) | (SAME_ORIGIN if page(path) else {}) | more
        brought: dict[str, Any] = {} if method in SAFE else self.brought(method, path, who)
        with self.db.again():
            return self.program.request(method, self.url(method, path), headers=sent, **brought)

    def url(self, method: str, path: str) -> str:
        operation = self.document["paths"].get(path, {}).get(method.lower(), {})
        return self.found.path(method, path) + self.found.query(method, path, manual.query(self.document, operation))

    def body(self, method: str, path: str) -> tuple[str, Any]:
        """Which kind of body a call takes, and one."""
        content = self.document["paths"].get(path, {}).get(method.lower(), {}).get("requestBody", {}).get("content", {})
        for kind, told in content.items():
            return kind, self.found.body(method, path, manual.sample(self.document, told["schema"]))
        return "", None

    def brought(self, method: str, path: str, who: str) -> dict[str, Any]:
        """What is sent beside the headers."""
        if page(path):
            cookie = self.found.cookies.get(who)
            csrf = {"csrf": self._web.desk.signer.sign(forms.PURPOSE, cookie)} if cookie else {}
            return {"data": self.found.form(path) | csrf}
        kind, body = self.body(method, path)
        if kind == "application/json":
            return {"json": body}
        if "urlencoded" in kind:
            return {"data": body}
        return {"files": {"files": ("a.txt", b"x", "text/plain")}} if kind else {}


def plain(route: APIRoute) -> str:
    """A route's path, with nothing in its places but their names."""
    return route.path_format.replace(":key", "")


def page(path: str) -> bool:
    """Whether people see it, not programs."""
    return not path.startswith("/api/") or path.startswith("/api/docs")
