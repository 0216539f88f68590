"""Tags and custom fields by the API."""

from typing import Any

import pytest

from app.accounts.rules import Part
from app.web.shapes.carried import CustomField, CustomFields, Tag, Tags
from tests.web.tickets.conftest import Desk

FIELD = {"key": "contract", "label": "Contract", "kind": "text"}


def tagged(at: Desk, *tags: str) -> int:
    number = at.web.ticket(at.carol)
    at.done(at.bob, "PATCH", f"/tickets/{number}", {"add_tags": list(tags)})
    return number


def listed(at: Desk, who: Any, query: str = "") -> dict[str, int]:
    found = at.done(who, "GET", f"/tags{query}")
    Tags.model_validate(found)
    return {tag["name"]: tag["tickets"] for tag in found["items"]}


def test_tags_are_the_staffs_alone(at: Desk) -> None:
    tagged(at, "vpn")
    for person in (at.carol, at.dave, at.frank, at.mallory):
        assert at.ask(person, "GET", "/tags").status_code == 403
        assert at.ask(person, "GET", "/custom-fields").status_code == 403
    assert at.ask(None, "GET", "/tags").status_code == 401


def test_counts_are_of_what_the_asker_sees(at: Desk) -> None:
    at.give(tagged(at, "vpn"), at.billing)
    tagged(at, "vpn", "home")
    assert listed(at, at.alice) == {"home": 1, "vpn": 1}
    assert listed(at, at.erin, "?prefix=V") == {"vpn": 2}


def test_tags_come_in_pages_and_in_one_statement(at: Desk, statements: list[str]) -> None:
    tagged(at, *"abcde")
    program = at.web.program(at.alice)
    program.get("/api/v1/tags")
    del statements[:]
    first = program.get("/api/v1/tags?limit=3").json()
    assert len(statements) <= 2  # who is asking, and the list
    rest = program.get("/api/v1/tags", params={"limit": 3, "cursor": first["next"]}).json()
    assert [t["name"] for t in first["items"] + rest["items"]] == [*"abcde"]
    assert rest["next"] is None


def test_managers_keep_the_tags_and_agents_only_use_them(at: Desk) -> None:
    number = tagged(at, "vpn", "home")
    for method, path, body in (
        ("POST", "/tags", {"name": "x"}),
        ("PATCH", "/tags/vpn", {"name": "x"}),
        ("DELETE", "/tags/vpn", None),
    ):
        for person in (at.alice, at.erin, at.carol, at.mallory):
            assert at.ask(person, method, path, body).status_code == 403
    Tag.model_validate(at.done(at.bob, "POST", "/tags", {"name": " Net ", "description": "Whatever is slow"}))
    assert at.ask(at.bob, "POST", "/tags", {"name": "net"}).status_code == 409
    assert at.done(at.bob, "PATCH", "/tags/vpn", {"name": "net"})["description"] == "Whatever is slow"
    assert at.told(number)["tags"] == ["home", "net"]
    assert at.ask(at.bob, "DELETE", "/tags/home").status_code == 204
    assert at.ask(at.bob, "DELETE", "/tags/home").status_code == 404
    assert listed(at, at.bob) == {"net": 1}


@pytest.mark.parametrize(
    "body", [{"name": "two words"}, {"name": ""}, {"name": None}, {"description": "x" * 501}, {"created_at": "x"}, {"tickets": 0}]
)
def test_a_tag_takes_nothing_else(at: Desk, body: Any) -> None:
    tagged(at, "vpn")
    assert at.ask(at.bob, "PATCH", "/tags/vpn", body).status_code == 422
    assert listed(at, at.bob) == {"vpn": 1}


def test_renaming_makes_what_others_read_old(at: Desk) -> None:
    number = tagged(at, "vpn")
    tag = at.ask(at.alice, "GET", f"/tickets/{number}").headers["etag"]
    at.done(at.bob, "PATCH", "/tags/vpn", {"name": "net"})
    assert at.ask(at.alice, "PATCH", f"/tickets/{number}", {"subject": "x"}, **{"If-Match": tag}).status_code == 412


def test_a_field_is_added_changed_and_archived(at: Desk) -> None:
    answer = at.ask(at.bob, "POST", "/custom-fields", FIELD)
    made = answer.json()
    CustomField.model_validate(made)
    assert (answer.status_code, answer.headers["etag"], made["team"], made["required"]) == (201, '"1"', None, "never")
    path = f"/custom-fields/{made['id']}"
    changed = at.ask(at.bob, "PATCH", path, {"label": "Number", "required": "to_resolve"}, **{"If-Match": '"1"'})
    assert (changed.json()["label"], changed.headers["etag"]) == ("Number", '"2"')
    assert at.ask(at.bob, "PATCH", path, {"label": "Late"}, **{"If-Match": '"1"'}).status_code == 412
    assert at.ask(at.bob, "DELETE", path, **{"If-Match": '"1"'}).status_code == 412
    assert at.done(at.bob, "PATCH", path, {"archived": True})["archived_at"]
    assert at.done(at.alice, "GET", "/custom-fields")["items"] == []
    found = at.done(at.alice, "GET", "/custom-fields?archived=true")
    CustomFields.model_validate(found)
    assert [f["label"] for f in found["items"]] == ["Number"]
    assert at.ask(at.bob, "DELETE", path).status_code == 204
    assert at.ask(at.bob, "PATCH", path, {"label": "x"}).status_code == 404


def test_a_teams_fields_are_its_leads_and_its_own(at: Desk) -> None:
    mine = FIELD | {"team_id": at.billing.id}
    assert at.ask(at.erin, "POST", "/custom-fields", mine).status_code == 403
    at.joins(at.erin, at.billing, Part.LEAD)
    made = at.done(at.erin, "POST", "/custom-fields", mine)
    assert made["team"] == {"id": at.billing.id, "name": "Billing"}
    assert at.ask(at.erin, "POST", "/custom-fields", FIELD | {"key": "shared"}).status_code == 403
    shared = at.done(at.bob, "POST", "/custom-fields", FIELD | {"key": "shared", "position": 1})
    assert at.ask(at.erin, "PATCH", f"/custom-fields/{shared['id']}", {"label": "x"}).status_code == 403
    assert at.ask(at.alice, "PATCH", f"/custom-fields/{made['id']}", {"label": "x"}).status_code == 404
    assert at.ask(at.mallory, "PATCH", f"/custom-fields/{made['id']}", {"label": "x"}).status_code == 403
    keys = {
        name: [f["key"] for f in at.done(who, "GET", "/custom-fields")["items"]]
        for name, who in {"alice": at.alice, "erin": at.erin, "bob": at.bob}.items()
    }
    assert keys == {"alice": ["shared"], "erin": ["contract", "shared"], "bob": ["contract", "shared"]}
    assert at.done(at.alice, "GET", f"/custom-fields?team_id={at.billing.id}")["items"][0]["key"] == "shared"
    first = at.done(at.bob, "GET", "/custom-fields?limit=1")
    rest = at.done(at.bob, "GET", f"/custom-fields?limit=1&cursor={first['next']}")
    assert [first["items"][0]["key"], rest["items"][0]["key"], rest["next"]] == ["contract", "shared", None]


def test_one_that_is_used_is_not_deleted(at: Desk) -> None:
    made = at.done(at.bob, "POST", "/custom-fields", FIELD)
    number = at.web.ticket(at.carol)
    at.done(at.alice, "PATCH", f"/tickets/{number}", {"fields": {"contract": "A"}})
    answer = at.ask(at.bob, "DELETE", f"/custom-fields/{made['id']}")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:atum-desk:problem:field-in-use")
    assert at.ask(at.bob, "POST", "/custom-fields", FIELD).status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "Contract"},
        {"key": "1st"},
        {"key": "a b"},
        {"key": "a" * 41},
        {"key": "con\ntract"},
        {"label": " "},
        {"label": "x" * 101},
        {"kind": "secret"},
        {"kind": "choice"},
        {"kind": "choice", "choices": ["a", "a"]},
        {"choices": ["a"]},
        {"required": "always"},
        {"shown_to_customers": "yes"},
        {"position": -1},
        {"position": 2**63},
        {"team_id": 999_999},
        {"team_id": "1"},
        {"id": 1},
        {"revision": 7},
        {"archived_at": None},
    ],
)
def test_what_makes_no_field_is_refused(at: Desk, wrong: dict[str, Any]) -> None:
    assert at.ask(at.bob, "POST", "/custom-fields", FIELD | wrong).status_code == 422
    assert at.done(at.bob, "GET", "/custom-fields?archived=true")["items"] == []


@pytest.mark.parametrize(
    "wrong", [{"key": "x"}, {"kind": "number"}, {"team_id": None}, {"label": None}, {"choices": ["a"]}, {"archived": "x"}]
)
def test_what_a_field_is_stays_for_good(at: Desk, wrong: dict[str, Any]) -> None:
    made = at.done(at.bob, "POST", "/custom-fields", FIELD)
    assert at.ask(at.bob, "PATCH", f"/custom-fields/{made['id']}", wrong).status_code == 422


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=1.", "cursor=99999999999999999999999.1", "team_id=0"]
)
def test_odd_questions_are_refused(at: Desk, query: str) -> None:
    assert at.ask(at.bob, "GET", f"/custom-fields?{query}").status_code == 422


@pytest.mark.parametrize("name", ["'; DROP TABLE tag; --", "%", "x" * 300, "a%00b", "%ff", "none"])
def test_there_is_no_tag_of_that_name(at: Desk, name: str) -> None:
    tagged(at, "vpn")
    assert at.ask(at.bob, "DELETE", f"/tags/{name}").status_code in {404, 422}
    assert listed(at, at.bob) == {"vpn": 1}


def test_a_tags_change_that_lost_the_race_is_refused(at: Desk) -> None:
    number = tagged(at, "vpn")
    made = at.ask(at.bob, "POST", "/tags", {"name": "home", "description": ""})
    tag = made.headers["etag"]
    assert [each["revision"] for each in at.done(at.bob, "GET", "/tags")["items"]] == [1, 1]
    first = at.ask(at.bob, "PATCH", "/tags/home", {"description": "At home"}, **{"If-Match": tag})
    assert first.status_code == 200
    assert first.headers["etag"] == f'"{first.json()["revision"]}"' != tag
    for method, change in (("PATCH", {"description": "x"}), ("PATCH", {"name": "vpn"}), ("DELETE", None)):
        lost = at.ask(at.root, method, "/tags/home", change, **{"If-Match": tag})
        assert (lost.status_code, lost.json()["type"]) == (412, "urn:atum-desk:problem:stale"), change
    before = at.ask(at.bob, "PATCH", "/tags/vpn", {"name": "tunnel"}).headers["etag"]
    assert at.ask(at.bob, "PATCH", "/tags/tunnel", {"name": "tunnels", "description": "T"}, **{"If-Match": before}).is_success
    assert at.told(number)["tags"] == ["tunnels"]
    latest = first.headers["etag"]
    assert at.ask(at.bob, "DELETE", "/tags/home", **{"If-Match": latest}).status_code == 204
