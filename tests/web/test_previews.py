"""Trying promises through the API, before anybody lives by them."""

from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from app.audit.models import Entry
from app.hours.models import CalendarVersion
from app.sla.models import Policy, Rebuild, Target
from tests.web.conftest import Web

pytestmark = pytest.mark.db
PREVIEW = "/api/v1/sla/preview"
NEVER_IN_TIME = {"id": 1, "targets": {"first_response": {"medium": 1}}}
WEEKENDS = [[], [], [], [], [], [["10:00", "12:00"]], [["10:00", "12:00"]]]


@pytest.fixture
def bob(web: Web) -> TestClient:
    return web.program(web.cast.bob)


def tried(bob: TestClient, **draft: Any) -> dict[str, Any]:
    answer = bob.post(PREVIEW, json=draft)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_other_promises_would_come_to_is_told_and_nothing_is_saved(web: Web, bob: TestClient) -> None:
    number = web.ticket(web.cast.carol, accepted=True)

    def rows() -> list[Any]:
        with web.desk.db.transaction() as s:
            return [s.scalar(select(func.count()).select_from(t)) for t in (Policy, Target, CalendarVersion, Rebuild, Entry)]

    before, policies = rows(), bob.get("/api/v1/sla/policies").json()
    draft = {"name": "Gold", "match": {"priority": ["medium"]}, "targets": {"resolution": {"medium": 7200}}}
    found = tried(bob, policies=[draft])
    assert (found["tickets"], [ticket["number"] for ticket in found["differing"]]) == (1, [number])
    assert found["today"] == {"first_response": {"running": 1}, "resolution": {"running": 1}}
    assert found["then"] == {"resolution": {"running": 1}}
    [first, resolution] = found["differing"][0]["differences"]
    assert (first["metric"], first["today"]["verdict"], first["then"]) == ("first_response", "running", None)
    assert (resolution["metric"], resolution["then"]["verdict"]) == ("resolution", "running")
    assert resolution["then"]["due_at"] < resolution["today"]["due_at"]
    assert (rows(), bob.get("/api/v1/sla/policies").json()) == (before, policies)


def test_a_calendar_is_tried_as_if_it_had_always_been_so(web: Web, bob: TestClient) -> None:
    web.ticket(web.cast.carol, accepted=True)
    calendar = bob.get("/api/v1/sla/calendars").json()["items"][0]["id"]
    [ticket] = tried(bob, calendars=[{"id": calendar, "week": WEEKENDS}])["differing"]
    assert all(d["then"]["due_at"] > d["today"]["due_at"] for d in ticket["differences"])


def test_what_can_not_be_saved_can_not_be_tried(bob: TestClient) -> None:
    for draft, words in (
        ({"policies": [{"id": 99}]}, "There is no policy 99."),
        ({"policies": [{"name": "Gold", "match": {"colour": ["red"]}}]}, "can't depend on 'colour'"),
        ({"policies": [{"id": 1, "name": None}], "calendars": [{"id": 1, "week": [[]] * 7}]}, "never opens"),
        ({"policies": [{}]}, "give the id of a policy, or the name of a new one"),
        ({"days": 0}, "days"),
    ):
        refused = bob.post(PREVIEW, json=draft)
        assert refused.status_code in {404, 422}, refused.text
        assert words in refused.text


def test_one_that_was_refused_leaves_the_next_as_it_should_be(web: Web, bob: TestClient) -> None:
    web.ticket(web.cast.carol, accepted=True)
    assert bob.post(PREVIEW, json={"policies": [NEVER_IN_TIME, {"id": 99}]}).status_code == 404
    assert tried(bob)["differing"] == []


def test_only_who_makes_promises_tries_them(web: Web) -> None:
    for person in (web.cast.alice, web.cast.carol, web.cast.mallory):
        assert web.program(person).post(PREVIEW, json={}).status_code == 403
