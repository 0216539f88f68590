"""Those who attack: what is theirs, what is not, and a request in which one thing of theirs stands for one of somebody else's."""

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from fastapi.routing import APIRoute
from httpx2 import Response

from app.accounts.models import Person
from app.web import forms, manual
from app.web.origin import SAFE
from tests.web.attacks import books
from tests.web.attacks.books import Rows
from tests.web.attacks.estate import HIDDEN, PRIVATE
from tests.web.attacks.places import Place
from tests.web.browser import SAME_ORIGIN
from tests.web.furniture import Furniture, headers
from tests.web.trial import Trial, page, plain

# What hangs on a ticket, or is a team's or a person's own: of these nobody else learns even that they are there.
SECRET_KINDS = frozenset(
    ("tickets", "messages", "attachments", "bulk", "views", "canned-replies", "macros", "tokens", "sessions", "passkeys")
)


@dataclass
class Attacker:
    """Somebody with things of their own; `words` are what they must never read."""

    name: str
    person: Person
    mine: Furniture
    words: tuple[str, ...]
    kinds: frozenset[str] = SECRET_KINDS

    def hides(self, place: Place) -> bool:
        """Whether what stands there is nothing this one may know of."""
        return not self.kinds or place.kind in self.kinds


@dataclass
class Field:
    """Where it happens: `theirs` is what must stay out of reach, `at_first` all that stood written before anybody attacked."""

    trial: Trial
    theirs: Furniture
    attackers: list[Attacker]
    their_rows: Rows
    at_first: Rows
    numbers: frozenset[int] = field(default_factory=frozenset)

    def ask(self, who: Attacker, method: str, route: APIRoute, place: Place | None = None, value: Any = None) -> "Told":
        """What `who` is answered, and all that stands written then."""
        path = plain(route)
        url = self._url(who, method, path, place, value)
        at_page = page(path)
        sent = headers(self.theirs, who.name, page=at_page) | (SAME_ORIGIN if at_page else {})
        brought = {} if method in SAFE else self._brought(who, method, path, place, value)
        with self.trial.db.again():
            answer = self.trial.program.request(method, url, headers=sent, **brought)
            c = self.trial.db.engine
            return Told(answer, self.at_first if books.untouched(c) else books.rows(c), str(value))

    def _url(self, who: Attacker, method: str, path: str, place: Place | None, value: Any) -> str:
        operation = self.trial.document["paths"].get(path, {}).get(method.lower(), {})
        parts = who.mine.path(method, path).split("/")
        if place and place.where == "path":
            parts[path.split("/").index(f"{{{place.name}}}")] = _quoted(value)
        asked = who.mine.query(method, path, manual.query(self.trial.document, operation))
        if place and place.where == "query":
            asked += f"{'&' if asked else '?'}{place.name}={_quoted(value)}"
        return "/".join(parts) + asked

    def _brought(self, who: Attacker, method: str, path: str, place: Place | None, value: Any) -> dict[str, Any]:
        if page(path):
            cookie = self.theirs.cookies[who.name]
            typed = who.mine.form(path) | ({place.name: value} if place and place.where == "form" else {})
            return {"data": typed | {"csrf": self.theirs.web.desk.signer.sign(forms.PURPOSE, cookie)}}
        told = self.trial.document["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
        for kind, each in told.items():
            body = deepcopy(who.mine.body(method, path, manual.sample(self.trial.document, each["schema"])))
            if place and place.where == "body":
                put(body, place.name, value)
                _with_its_like(self.trial, each["schema"], body, place)
            if "json" in kind:
                return {"json": body}
            files = {"files": {"files": ("a.txt", b"x", "text/plain")}} if "multipart" in kind else {}
            return files | {"data": {name: each for name, each in body.items() if name != "files"}}
        return {}


@dataclass(frozen=True)
class Told:
    """An answer, what stood written afterwards, and what was sent that an answer may repeat."""

    answer: Response
    rows: Rows
    sent: str

    @property
    def words(self) -> str:
        """Everything that was answered, but what was sent."""
        return self._but_sent(f"{self.answer.text}\n{self.answer.headers}")

    def _but_sent(self, told: str) -> str:
        return told.replace(self.sent, "") if len(self.sent) > 2 else told

    @property
    def outcome(self) -> tuple[int, str]:
        """How it went, whatever the numbers and times in it."""
        return self.answer.status_code, re.sub(r"\d+", "#", books.alike(self.answer.text))


def put(body: dict[str, Any], name: str, value: Any) -> None:
    """Put a value into a body, at `change.team_id` or `tickets[]`."""
    *above, last = name.split(".")
    for each in above:
        if not isinstance(body.get(each), dict):
            body[each] = {}
        body = body[each]
    body[last.removesuffix("[]")] = [value] if last.endswith("[]") else value


def _with_its_like(trial: Trial, schema: Any, body: dict[str, Any], place: Place) -> None:
    """A thing of a team's is shared with the team, or it is refused before anybody asks whose the team is."""
    known = manual.resolved(trial.document, schema).get("properties", {})
    if place.name == "team_id":
        body |= {name: "team" for name in ("shared", "shared_with") if name in known}


def _quoted(value: Any) -> str:
    return "".join(
        each if each.isalnum() or each in "-._~@" else "".join(f"%{b:02X}" for b in each.encode()) for each in str(value)
    )


STAFF_WORDS, OUTSIDERS_WORDS = (HIDDEN,), (HIDDEN, PRIVATE)
