"""A program that uses the desk's API, at a speed the desk allows."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx


class Client:
    """Asks at the desk's public name, whatever port of this machine leads there. Refusals for speed are waited out."""

    def __init__(self, url: str, *, timeout: float = 15.0, headers: dict[str, str] | None = None) -> None:
        self.http = httpx.Client(base_url=url, verify=False, timeout=timeout, headers=headers or {})
        self._renew: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    def sign_in(self, email: str, password: str) -> Self:
        """Carry a token from here on, and a new one when half of its life is over: tests may take longer than one lives."""
        self._renew = lambda: None
        token = self.ask("POST", "/api/v1/auth/login", data={"username": email, "password": password}).json()
        self.http.headers["Authorization"] = f"Bearer {token['access_token']}"
        old = time.monotonic() + token["expires_in"] / 2
        self._renew = lambda: time.monotonic() < old or self.sign_in(email, password)
        return self

    def ask(self, method: str, path: str, *, expect: int = 0, **more: Any) -> httpx.Response:
        """One request; any answer but `expect` (or anything over 399) is an error."""
        self._renew()
        while (answer := self.http.request(method, path, **more)).status_code == 429:
            time.sleep(min(int(answer.headers.get("Retry-After", "1")), 3))
        assert answer.status_code == expect or (not expect and answer.status_code < 400), (
            f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        )
        return answer

    def get(self, path: str) -> Any:
        """What is there, from JSON."""
        return self.ask("GET", f"/api/v1{path}").json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What came of it, from JSON."""
        return (
            self.ask("POST", f"/api/v1{path}", json=body).json()
            if body is not None
            else self.ask("POST", f"/api/v1{path}").json()
        )

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """What it is now, from JSON."""
        return self.ask("PATCH", f"/api/v1{path}", json=body).json()

    def tickets(self) -> list[dict[str, Any]]:
        """Every ticket I may see."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(f"/tickets?limit=100{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"
