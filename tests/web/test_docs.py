"""The description of the API: whole, for those who are signed in, and its types of problems for good."""

from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text

from app.web import describe, manual
from tests.web.browser import Page
from tests.web.conftest import Web
from tests.web.trial import Trial, opened

pytestmark = pytest.mark.db
EVERYTHING = text(
    "SELECT md5(string_agg(query_to_xml(format('SELECT * FROM %I', tablename), true, false, '')::text, '' ORDER BY tablename))"
    " FROM pg_tables WHERE schemaname = 'public'"
)
# Whoever sends it a second time is nobody any more.
ENDS_ITS_SESSION = {"POST /auth/logout", "POST /auth/password"}
# Who is looking stands in no table, and saying it twice is saying it once; what a server says is asked for each time.
KEPT_NOWHERE = {"PUT /tickets/{number}/presence", "DELETE /tickets/{number}/presence", "POST /mailboxes/{id}/test"}
# The answer held a secret, which is not kept to be shown again.
SHOWN_ONCE = {"POST /auth/otp", "POST /auth/otp/confirmation", "POST /auth/otp/recovery-codes", "POST /tokens"}
SHOWN_ONCE |= {"POST /webhooks", "POST /webhooks/{id}/secret"}
STABLE = Path(__file__).with_name("problems.txt")


def operations(web: Web) -> list[tuple[str, str, manual.Json]]:
    paths = describe.document(web.app)["paths"]
    return [(method.upper(), path, operation) for path, methods in paths.items() for method, operation in methods.items()]


def test_the_types_of_problems_are_the_ones_that_were_promised() -> None:
    assert [f"{kind.slug} {kind.status}" for kind in manual.problems()] == STABLE.read_text().splitlines()


def test_a_type_has_one_status_and_says_what_it_means() -> None:
    told = {(kind.slug, kind.status) for kind in manual.refusals()}
    assert len(told) == len({slug for slug, _ in told})
    assert all(kind.meaning.endswith(".") for kind in manual.problems())


def test_every_call_is_described(web: Web) -> None:
    for method, path, operation in operations(web):
        at = f"{method} {path}"
        assert 3 < len(operation["summary"]) < 130, at
        assert "\n" not in operation["summary"], at
        assert operation["tags"][0] in describe.AREAS, at
        assert {"401", "403", "422", "429", "500", "503"} <= set(operation["responses"]), at
        assert any(status[0] == "2" for status in operation["responses"]), at


def test_every_answer_has_a_shape_and_every_body_an_example(web: Web) -> None:
    document = describe.document(web.app)
    for method, path, operation in operations(web):
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                assert content.get("schema") or kind != "application/json", f"{method} {path} {status}"
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            schema = manual.resolved(document, content["schema"])
            if kind == "application/json":
                assert schema.get("examples"), f"{method} {path}: {kind}"
                assert schema.get("additionalProperties") is False, f"{method} {path} takes fields it doesn't know"


def taking(web: Web, header: str) -> list[tuple[str, str]]:
    """The calls that say they take this header."""
    return [
        (method, path)
        for method, path, operation in operations(web)
        if header in {each["name"] for each in operation.get("parameters", ())}
    ]


def everything(trial: Trial) -> str:
    """A digest of every row of every table, inside of the block that undoes what happens."""
    return str(trial.db.engine.execute(EVERYTHING).scalar_one())


def revision(trial: Trial, sent: dict[str, Any]) -> str:
    """The ETag of what a request would change; any, where nothing answers one by itself."""
    deep = sent["url"].startswith("/api/v1/sla/calendars/")
    place = "/".join(sent["url"].split("/")[: 6 if deep else 5])
    answer = trial.send(method="GET", url=place, headers=sent["headers"])
    return str(answer.headers.get("etag", "*"))


def test_a_change_of_what_is_no_longer_so_changes_nothing(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, blind = taking(web, "If-Match"), set()
    with opened(web, monkeypatch) as trial:
        for method, path in tried:
            with trial.db.again():
                sent, before = trial.prepared(method, path, trial.found.who_may(path)), everything(trial)
                for tag in ('"999999"', '"0"'):
                    stale = trial.send(**_with(sent, "If-Match", tag))
                    assert (stale.status_code, stale.json()["type"]) == (412, "urn:atum-desk:problem:stale"), (method, path)
                    assert everything(trial) == before, (method, path)
                present = revision(trial, sent)
                if present == "*":
                    blind.add(path)
                done = trial.send(**_with(sent, "If-Match", present))
                assert done.is_success, (method, path, done.text)
                assert everything(trial) != before, (method, path)
    assert len(tried) > 40
    told_by_their_lists = {f"/api/v1/{path}" for path in ("custom-fields/{id}", "sla/policies/{id}", "tags/{name}")}
    assert blind == told_by_their_lists


def test_the_same_request_with_the_same_key_acts_once_and_is_answered_the_same(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, set[str]] = {"ended": set(), "once": set(), "same": set()}
    with opened(web, monkeypatch) as trial:
        for method, path in taking(web, "Idempotency-Key"):
            at = f"{method} {path.removeprefix('/api/v1')}"
            with trial.db.again():
                sent = _with(trial.prepared(method, path, trial.found.who_may(path)), "Idempotency-Key", "one and the same")
                before = everything(trial)
                first, once = trial.send(**sent), everything(trial)
                again = trial.send(**sent)
                assert first.is_success, (at, first.text)
                assert (once == before) is (at in KEPT_NOWHERE), at
                assert everything(trial) == once, at
                found[_kind(first, again, kept=once != before)].add(at)
    assert found["ended"] == ENDS_ITS_SESSION
    assert found["once"] == SHOWN_ONCE
    assert len(found["same"]) > 60


def _kind(first: Response, again: Response, *, kept: bool) -> str:
    """How the second answer goes with the first."""
    if again.status_code == 401:
        return "ended"
    assert again.headers.get("idempotency-replayed") == ("true" if kept else None), again.text
    if again.status_code == 409:
        assert again.json()["type"] == "urn:atum-desk:problem:shown-once"
        return "once"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert all(again.headers.get(name) == first.headers.get(name) for name in ("location", "etag"))
    return "same"


def _with(sent: dict[str, Any], header: str, value: str) -> dict[str, Any]:
    return sent | {"headers": sent["headers"] | {header: value}}


def test_the_document_names_both_ways_to_show_who_one_is(web: Web) -> None:
    document = web.program(web.cast.carol).get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["components"]["securitySchemes"]) == {"bearer", "cookie"}
    assert document["security"] == [{"bearer": []}, {"cookie": []}]
    assert document["paths"]["/api/v1/auth/login"]["post"]["security"] == []
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert web.program().get("/api/v1/openapi.json").status_code == 401


def test_the_pages_are_for_those_who_are_signed_in(web: Web) -> None:
    for path in ("/api/docs", "/api/docs/tickets", "/api/docs/problems"):
        answer = web.browser().get(path)
        assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?")
    assert web.browser(web.cast.carol).get("/api/docs/nothing").status_code == 404


def test_every_call_stands_on_its_areas_page_with_its_curl(web: Web) -> None:
    browser, calls = web.browser(web.cast.carol), manual.calls(describe.document(web.app))
    index = browser.page("/api/docs").text
    pages = {area: browser.page(f"/api/docs/{area}") for area in {call.area for call in calls}}
    for call in calls:
        assert f"{call.method} {call.path}" in index
        assert call.curl in pages[call.area].text
        assert call.summary in pages[call.area].text
    assert not {"script", "style", "iframe"} & set().union(*(page.tags for page in pages.values()))


def test_every_type_of_problem_can_be_looked_up(web: Web) -> None:
    words = Page(web.browser(web.cast.carol).get("/api/docs/problems").text).text
    for kind in manual.problems():
        assert f"urn:atum-desk:problem:{kind.slug}" in words


OTHERS = ["/docs", "/redoc", "/openapi.json", "/metrics", "/nginx_status", "/api/v1/docs", "/api/openapi.json"]


@pytest.mark.parametrize("path", OTHERS)
def test_there_is_no_other_door_to_it(web: Web, path: str) -> None:
    assert web.program().get(path).status_code == 404
    assert web.program(web.cast.root).get(path).status_code == 404
