"""A browser without a window: it follows our own forms, so that what it sends is what a page would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Origin": "https://localhost"}


@dataclass
class Form:
    """One form of a page: where it goes, and what it sends when nobody touches it."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """A page's forms and scripts, and its text as a reader sees it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.tags: set[str] = set()
        self.scripts: list[str] = []  # where each comes from; empty for one that stands in the page
        self.text = ""
        self._textarea = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag == "script":
            self.scripts.append(given.get("src", ""))
        elif tag == "textarea":
            self._textarea = given["name"]
        elif tag == "input" and self.forms and given.get("name") and given.get("type") not in {"file", "radio"}:
            self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._textarea:
            self.forms[-1].fields[self._textarea] = data.removeprefix("\n")


class Browser(TestClient):
    """Somebody at a browser, signed in or not. Redirects are not followed: where they lead is part of the answer."""

    def __init__(self, app: Any, cookies: dict[str, str] | None = None) -> None:
        super().__init__(app, base_url="https://localhost", follow_redirects=False, cookies=cookies)

    def page(self, path: str) -> Page:
        """A page that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.headers.get("location"))
        return Page(answer.text)

    def submit(self, at: str, action: str, *, files: Any = None, having: str = "", **typed: Any) -> Response:
        """Fill in the form on the page `at` that goes to `action`, and send it. `having` is a value that names the form."""
        return self.fill(self.page(at), action, files=files, having=having, **typed)

    def fill(self, page: Page, action: str, *, files: Any = None, having: str = "", **typed: Any) -> Response:
        """The same with a page that was opened before."""
        form = next(f for f in page.forms if f.action == action and (not having or having in f.fields.values()))
        return self.post(action, data=form.fields | typed, files=files, headers=SAME_ORIGIN)
