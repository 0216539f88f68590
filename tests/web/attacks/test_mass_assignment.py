"""Fields that nobody asked for.

JSON with a field too many is refused, however deep it lies. Forms of pages, and parameters after a path, are taken for what they
are known for: whatever else stands in them is left aside, and nothing else happens than would have happened without.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx2 import Response
from sqlalchemy import Engine

from app.web import describe, manual
from app.web.origin import SAFE
from tests.web.attacks import books
from tests.web.attacks.attackers import put
from tests.web.attacks.estate import number_apart
from tests.web.conftest import Web
from tests.web.trial import Trial, opened, page, plain

pytestmark = pytest.mark.db
SMUGGLED: dict[str, Any] = {
    "role": "admin", "is_admin": "1", "organization_id": "2", "requester_id": "1", "assignee_id": "1", "team_id": "1",
    "created_at": "1999-01-01T00:00:00Z", "accepted_at": "1999-01-01T00:00:00Z", "bcc": "spy@evil.example", "internal": "1",
    "cc": "spy@evil.example", "password_hash": "smuggled", "verified": "true", "disabled_at": "", "status": "closed", "id": "1",
    "number": "1", "revision": "99", "smtp_host": "evil.example", "sla_due": "1999-01-01", "scopes": "desk:write", "part": "lead",
}  # fmt: skip
Done = tuple[int, Counter[tuple[str, str]]]
_HASH = re.compile(r"\$argon2[^\"]*|\\\\x[0-9a-f]+")


def test_a_form_of_a_page_is_taken_for_what_it_asks(web: Web, owner: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    number_apart(owner)
    with opened(web, monkeypatch) as trial:
        tried, went = 0, Counter[str]()
        for method, path in unsafe(trial):
            if page(path):
                who = trial.found.who_may(path)
                plainly = done(trial, method, path, who, {})
                assert unlike(done(trial, method, path, who, SMUGGLED), plainly) == [], path
                tried, went = tried + 1, went + Counter([str(plainly[0])[0]])
        assert tried >= 18
        assert went["3"] + went["2"] >= 14, went  # most of them did what they are for


def test_a_field_too_many_is_refused_however_deep_it_lies(web: Web, owner: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    number_apart(owner)
    with opened(web, monkeypatch) as trial:
        tried = 0
        for method, path, where in within(trial):
            for name, value in SMUGGLED.items():
                _, body = trial.body(method, path)
                put(
                    body, f"{where}.smuggled_{name}" if name in ("status", "team_id", "assignee_id") else f"{where}.{name}", value
                )
                with trial.db.again():
                    request = trial.prepared(method, path, "admin") | {"json": body}
                    answer = trial.send(**request)
                    assert books.untouched(trial.db.engine), (path, where, name)
                assert (answer.status_code, answer.json()["type"]) == (422, "urn:atum-desk:problem:invalid"), (path, where, name)
                tried += 1
        assert tried >= 3 * len(SMUGGLED)


def test_a_parameter_that_nobody_knows_changes_nothing(web: Web, owner: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    number_apart(owner)
    with opened(web, monkeypatch) as trial:
        for method, path in (each for each in unsafe(trial) if not page(each[1])):
            who = trial.found.who_may(path)
            smuggling = done(trial, method, path, who, {}, after=SMUGGLED)
            assert unlike(smuggling, done(trial, method, path, who, {})) == [], (method, path)


def unsafe(trial: Trial) -> Iterator[tuple[str, str]]:
    """Every call that may change something."""
    for route in describe.routes(trial.app):
        yield from ((method, plain(route)) for method in sorted(set(route.methods or ()) - SAFE))


def within(trial: Trial) -> Iterator[tuple[str, str, str]]:
    """Every object inside of a JSON body whose fields are known."""
    for method, path in unsafe(trial):
        told = trial.document["paths"].get(path, {}).get(method.lower(), {}).get("requestBody", {}).get("content", {})
        schema = manual.resolved(trial.document, told.get("application/json", {}).get("schema", {}))
        for name, each in schema.get("properties", {}).items():
            for one in each.get("anyOf", [each]):
                if manual.resolved(trial.document, one).get("properties"):
                    yield method, path, name


def done(trial: Trial, method: str, path: str, who: str, more: dict[str, Any], after: dict[str, Any] | None = None) -> Done:
    """What came of it: the status, and what stands written that did not, and the other way round."""
    with trial.db.again():
        request = trial.prepared(method, path, who)
        before = books.rows(trial.db.engine)
        if more:
            request["data"] = more | request["data"]
        if after:
            request["url"] += f"{'&' if '?' in request['url'] else '?'}{urlencode(after)}"
        answer: Response = trial.send(**request)
        now = books.rows(trial.db.engine)
    changed = [("+" + table, row) for table, row in now - before] + [("-" + table, row) for table, row in before - now]
    told = ((table, without_chance(row)) for table, row in changed if "ticket_text" not in table)  # made of the others
    return answer.status_code, Counter(told)


def unlike(one: Done, other: Done) -> list[Any]:
    """What came of one and not of the other."""
    statuses = [one[0], other[0]] if one[0] != other[0] else []
    return [*statuses, *(one[1] - other[1]), *(other[1] - one[1])]


def without_chance(row: str) -> str:
    """A row without its times, the numbers that are given anew, and secrets."""
    return books.alike(_HASH.sub("#", row))
