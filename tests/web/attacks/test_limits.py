"""More than anybody wants: pages of a billion, orders that there are not, filters a thousand deep, work without an end."""

import base64
import json
import time
from urllib.parse import quote

import pytest
from sqlalchemy import text

from app.web import describe
from tests.web.attacks.test_sql import as_json, asked, calls, parameters, send
from tests.web.conftest import Web
from tests.web.trial import opened, plain

pytestmark = pytest.mark.db
PATIENCE = 3.0  # seconds
LIMITS = ("1000000000", "0", "-1", "1e9", "101", "99999999999999999999", "1.5", "%D9%A3%D9%A3", "0x10", "NaN", "")
SORTS = ("nothing", "-nothing", "--number", "number,", "number desc", "t.number", "1", "-", "updated;", "password_hash", "x" * 41)
DEEP = 1_000
NESTED = (
    "(" * DEEP + "x" + ")" * DEEP, "NOT " * DEEP + "x", "-(" * (DEEP // 2) + "x", "(x OR " * DEEP, "a " * DEEP,
    "status:" + "open," * DEEP, '"' * (DEEP + 1), "is:open OR " * DEEP + "x", "x" * 50_000,
)  # fmt: skip


def test_what_no_list_gives_is_refused_by_every_list(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(web, monkeypatch) as trial:
        tried = 0
        for method, route in calls(trial):
            url = trial.found.path(method, plain(route))
            names = {each["name"] for each in parameters(trial, method, route)} if method == "GET" else set()
            wanted = "q=printer&" if url.endswith("/search") else ""
            wrong = [f"limit={each}" for each in LIMITS] if "limit" in names else []
            wrong += [f"sort={quote(each)}" for each in SORTS] if "sort" in names else []
            wrong += [f"cursor={each}" for each in cursors()] if "cursor" in names and url.startswith("/api/") else []
            for each in wrong:
                answer = send(trial, asked(trial, method, route) | {"url": f"{url}?{wanted}{each}"})
                begun = answer.status_code == 200 and each.startswith("cursor")  # a list by name goes on from any name
                assert begun or answer.status_code == 422, (url, each, answer.text)
                tried += 1
        assert tried > 250


def test_a_place_in_a_list_is_never_counted_off(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(web, monkeypatch) as trial:
        for method, route in calls(trial):
            names = {each["name"] for each in parameters(trial, method, route)} if method == "GET" else set()
            assert not names & {"offset", "page", "skip", "order", "order_by"}, route.path
            if "limit" in names:
                request = asked(trial, method, route)
                more = f"{'&' if '?' in request['url'] else '?'}offset=-1&page=1000000000&order=random()"
                assert send(trial, request | {"url": request["url"] + more}).text == send(trial, request).text, route.path


def test_a_query_a_thousand_deep_is_refused_or_read_as_words_at_once(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(web, monkeypatch) as trial:
        tried = 0
        for method, route in calls(trial):
            if method == "GET" and "q" in {each["name"] for each in parameters(trial, method, route)}:
                for query in NESTED:
                    url = f"{trial.found.path(method, plain(route))}?q={quote(query)}"
                    began = time.monotonic()
                    answer = send(trial, asked(trial, method, route) | {"url": url})
                    assert answer.status_code in {200, 422}, (url[:80], answer.text[:200])
                    assert time.monotonic() - began < PATIENCE, url[:80]
                    tried += 1
        assert tried > 50


def test_json_without_a_bottom_is_refused_in_words(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(web, monkeypatch) as trial:
        for method, route in calls(trial):
            kind, _ = trial.body(method, plain(route))
            if kind == "application/json":
                for content in ("[" * 100_000, '{"a":' * DEEP, f'{{"fields":{"[" * 100_000}'):
                    began = time.monotonic()
                    answer = send(trial, asked(trial, method, route) | as_json(content))
                    assert answer.status_code in {400, 422}, (route.path, answer.text[:200])
                    assert time.monotonic() - began < PATIENCE, route.path


def test_no_statement_works_for_ever(web: Web) -> None:
    with web.desk.db.reading() as c:
        reader = c.scalar(text("SHOW statement_timeout"))
    with web.desk.db.transaction() as s:
        assert (reader, s.scalar(text("SHOW statement_timeout"))) == ("10s", "10s")
        assert s.scalar(text("SHOW lock_timeout")) == "5s"
    assert describe.document(web.app)["paths"]


def cursors() -> list[str]:
    """What is no place in any list."""
    made = [[], {}, [None], "x", [1] * 9, ["-updated", "x", 1], [{"a": 1}], json.loads("[" * 200 + "]" * 200)]
    words = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in made]
    return [*words, "x", "=", "%00", "'", "A" * 1999, quote("é")]
