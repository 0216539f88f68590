"""Calendars through the API: who may, what is refused with which words, and what a change answers."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import Web

pytestmark = pytest.mark.db
CALENDARS = "/api/v1/sla/calendars"
OFFICE = [[["09:00", "17:00"]]] * 5 + [[], []]
HOLIDAY = {"date": "2026-12-25", "name": "Christmas Day"}


@pytest.fixture
def bob(web: Web) -> TestClient:
    return web.program(web.cast.bob)


@pytest.fixture
def office(bob: TestClient) -> dict[str, Any]:
    answer = bob.post(CALENDARS, json={"name": "Office", "zone": "Europe/Berlin", "week": OFFICE})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made | {"url": answer.headers["location"]}


def test_a_calendar_is_made_listed_and_read(web: Web, bob: TestClient, office: dict[str, Any]) -> None:
    alice = web.program(web.cast.alice)
    assert "Office" in [each["name"] for each in alice.get(CALENDARS).json()["items"]]
    told = alice.get(office["url"])
    assert (told.json()["holds"]["week"], told.headers["etag"]) == (OFFICE, '"1"')
    assert told.json()["versions"][0]["actor"].startswith("Bob")


def test_a_change_is_a_new_version_and_what_is_left_out_stays(bob: TestClient, office: dict[str, Any]) -> None:
    answer = bob.patch(office["url"], json={"name": "Head office", "closed": [HOLIDAY]}, headers={"If-Match": '"1"'})
    told = answer.json()
    assert (answer.status_code, told["name"], told["holds"]["week"], told["holds"]["closed"]) == (
        200,
        "Head office",
        OFFICE,
        [HOLIDAY],
    )
    assert len(told["versions"]) == 2
    late = bob.patch(office["url"], json={"name": "Late"}, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["type"]) == (412, "urn:atum-desk:problem:stale")


def test_a_change_may_begin_later_and_needs_a_word_more_to_begin_earlier(bob: TestClient, office: dict[str, Any]) -> None:
    later = bob.patch(office["url"], json={"closed": [HOLIDAY], "effective_from": "2100-01-01T00:00:00+01:00"}).json()
    assert (later["holds"]["closed"], later["versions"][0]["effective_from"]) == ([], "2099-12-31T23:00:00Z")
    body = {"closed": [HOLIDAY], "effective_from": "2026-01-01T00:00:00Z"}
    refused = bob.patch(office["url"], json=body)
    assert (refused.status_code, "Say that you mean it" in refused.json()["detail"]) == (422, True)
    assert bob.patch(office["url"], json=body | {"retroactive": True}).json()["holds"]["closed"] == [HOLIDAY]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"week": [[]] * 7}, "never opens"),
        ({"week": [[["09:00", "09:00"]]] * 7}, "has no length"),
        ({"week": [[["09:00", "13:00"], ["12:00", "17:00"]]] * 7}, "two intervals overlap on day 1 of the week"),
        ({"zone": "Mars/Olympus"}, "is no time zone"),
        ({"closed": [{"date": "2026-02-29", "name": "x"}]}, "no date that exists"),
        ({"closed": [{"date": "2026-12-24", "every": "12-24", "name": "x"}]}, "either a date or a day of every year"),
        ({"effective_from": "2027-01-01T00:00:00"}, "time zone"),
        ({"effective_from": "9999-12-31T23:59:59Z", "week": OFFICE[::-1]}, "from 1970 to 2100"),
        ({"effective_from": "9999-12-31T23:59:59-12:00", "week": OFFICE[::-1]}, "from 1970 to 2100"),
        ({"effective_from": "0001-01-01T00:00:00+12:00", "week": OFFICE[::-1], "retroactive": True}, "from 1970 to 2100"),
    ],
)
def test_what_can_not_be_is_refused_with_the_reason(
    bob: TestClient, office: dict[str, Any], bad: dict[str, Any], reason: str
) -> None:
    answer = bob.patch(office["url"], json=bad)
    assert answer.status_code == 422
    assert reason in answer.text


def test_public_holidays_are_proposed_and_nothing_is_stored(bob: TestClient, office: dict[str, Any]) -> None:
    answer = bob.get(f"{CALENDARS}/proposals?country=DE&subdivision=BY&years=2026&years=2027&language=en_US")
    assert answer.status_code == 200, answer.text
    items = answer.json()["holidays"]
    assert {"date": "2026-12-25", "name": "Christmas Day"} in items
    assert bob.get(office["url"]).json()["holds"]["closed"] == []
    assert bob.patch(office["url"], json={"closed": items}).json()["holds"]["closed"] == items
    unknown = bob.get(f"{CALENDARS}/proposals?country=DE&subdivision=QQ&years=2026")
    assert (unknown.status_code, "known are: BB" in unknown.json()["detail"]) == (422, True)


def test_the_next_openings_are_told(bob: TestClient, office: dict[str, Any]) -> None:
    bob.patch(office["url"], json={"closed": [HOLIDAY], "effective_from": "2026-01-01T00:00:00Z", "retroactive": True})
    items = bob.get(f"{office['url']}/openings?from=2026-12-24T00:00:00Z&days=5").json()["openings"]
    assert [(each["from_at"], each["seconds"], each["note"]) for each in items] == [
        ("2026-12-24T08:00:00Z", 28800, ""),
        ("2026-12-24T23:00:00Z", 0, "Christmas Day"),
        ("2026-12-28T08:00:00Z", 28800, ""),
    ]
    assert bob.get(f"{office['url']}/openings?from=2026-12-24T00:00:00").status_code == 422
    assert bob.get(f"{CALENDARS}/999999/openings").status_code == 404
    for far in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B12:00"):
        refused = bob.get(f"{office['url']}/openings?from={far}")
        assert (refused.status_code, "from 1970 to 2100" in refused.json()["detail"]) == (422, True)


def test_a_calendar_that_measures_stays_and_another_goes(bob: TestClient, office: dict[str, Any]) -> None:
    [standard] = [each for each in bob.get(CALENDARS).json()["items"] if each["name"] == "Round the clock"]
    refused = bob.delete(f"{CALENDARS}/{standard['id']}")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:atum-desk:problem:calendar-in-use")
    assert bob.delete(office["url"], headers={"If-Match": '"7"'}).status_code == 412
    assert bob.delete(office["url"]).status_code == 204
    assert bob.get(office["url"]).status_code == 404


def test_a_feed_is_followed_refreshed_and_left(bob: TestClient, office: dict[str, Any]) -> None:
    feed = f"{office['url']}/feed"
    assert bob.post(f"{feed}/refresh").status_code == 404
    told = bob.put(feed, json={"url": "https://feed.example/x.ics"}).json()
    assert (told["feed"]["url"], told["feed"]["proposal"], told["feed"]["automatic"]) == (
        "https://feed.example/x.ics",
        None,
        False,
    )
    assert bob.post(f"{feed}/refresh").status_code == 202
    assert bob.post(f"{feed}/acceptance").status_code == 404
    assert bob.put(feed, json={"url": "http://feed.example/x.ics"}).status_code == 422
    assert bob.delete(feed).status_code == 204
    assert bob.get(office["url"]).json()["feed"] is None


def test_agents_read_and_customers_and_mallory_learn_nothing(web: Web, office: dict[str, Any]) -> None:
    alice = web.program(web.cast.alice)
    assert alice.patch(office["url"], json={"name": "Mine"}).status_code == 403
    for person in (web.cast.carol, web.cast.mallory):
        program = web.program(person)
        for path in (CALENDARS, office["url"], f"{office['url']}/openings"):
            answer = program.get(path)
            assert answer.status_code == 403
            assert "Office" not in answer.text
