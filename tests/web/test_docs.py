"""The description of the API: whole, for those who are signed in, and its types of problems for good."""

from pathlib import Path

import pytest

from app.web import describe, manual
from tests.web.browser import Page
from tests.web.conftest import Web

pytestmark = pytest.mark.db
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


def test_what_is_changed_takes_a_key_and_what_has_a_revision_takes_a_match(web: Web) -> None:
    for method, path, operation in operations(web):
        names = {each["name"] for each in operation.get("parameters", ())}
        assert ("Idempotency-Key" in names) is (method not in {"GET", "HEAD"} and operation.get("security") != []), (method, path)
        assert ("If-Match" in names) is ("412" in operation["responses"]), (method, path)


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
    text = Page(web.browser(web.cast.carol).get("/api/docs/problems").text).text
    for kind in manual.problems():
        assert f"urn:atum-desk:problem:{kind.slug}" in text


OTHERS = ["/docs", "/redoc", "/openapi.json", "/metrics", "/nginx_status", "/api/v1/docs", "/api/openapi.json"]


@pytest.mark.parametrize("path", OTHERS)
def test_there_is_no_other_door_to_it(web: Web, path: str) -> None:
    assert web.program().get(path).status_code == 404
    assert web.program(web.cast.root).get(path).status_code == 404
