"""The JSON API, as programs meet it."""

from typing import Any

import pytest

from tests.cast import PASSWORD
from tests.web.conftest import Web


def test_signing_in_gives_tokens_that_open_the_api(web: Web) -> None:
    web.set_password(web.cast.alice, PASSWORD)
    program = web.program()

    tokens = program.post("/api/v1/auth/login", data={"username": "alice@desk.example", "password": PASSWORD}).json()

    assert tokens["token_type"] == "bearer"
    me = program.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert (me.json()["email"], me.json()["role"]) == ("alice@desk.example", "agent")


def test_a_refresh_token_works_once(web: Web) -> None:
    web.set_password(web.cast.alice, PASSWORD)
    program = web.program()
    first = program.post("/api/v1/auth/login", data={"username": "alice@desk.example", "password": PASSWORD}).json()
    body = {"refresh_token": first["refresh_token"]}

    second = program.post("/api/v1/auth/refresh", json=body)

    assert second.status_code == 200
    assert program.post("/api/v1/auth/refresh", json=body).status_code == 401
    old = {"Authorization": f"Bearer {first['access_token']}"}
    assert program.get("/api/v1/auth/me", headers=old).status_code == 401


def test_signing_out_ends_the_token(web: Web) -> None:
    program = web.program(web.cast.alice)

    assert program.post("/api/v1/auth/logout").status_code == 204
    assert program.get("/api/v1/auth/me").status_code == 401


def test_a_wrong_password_is_a_problem_document(web: Web) -> None:
    answer = web.program().post("/api/v1/auth/login", data={"username": "alice@desk.example", "password": "wrong"})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:atum-desk:problem:wrong-password"


@pytest.mark.parametrize(
    "path", ["auth/me", "tickets", "tickets/1", "tickets/1/sla", "attachments/1", "openapi.json", "sla/policies"]
)
def test_strangers_are_told_to_sign_in(web: Web, path: str) -> None:
    answer = web.program().get(f"/api/v1/{path}")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_tickets_whole_life_by_the_api(web: Web) -> None:
    carol, alice = web.program(web.cast.carol), web.program(web.cast.alice)

    made = carol.post("/api/v1/tickets", json={"subject": "Printer", "body": "It smokes."})
    at = made.headers["location"]
    assert made.status_code == 201
    assert (made.json()["status"], made.json()["allowed"]) == ("new", [])
    assert alice.post(f"{at}/acceptance").json()["status"] == "accepted"
    assigned = alice.post(f"{at}/assignment", json={"assignee_id": web.cast.bob.id}).json()
    assert assigned["assignee"]["name"] == "Bob"
    said = alice.post(f"{at}/messages", json={"body": "Paper out?", "status": "waiting_customer"})
    assert (said.status_code, said.json()["internal"]) == (201, False)
    assert carol.post(f"{at}/messages", json={"body": "Out."}).status_code == 201
    assert alice.get(at).json()["status"] == "in_progress"
    assert alice.post(f"{at}/status", json={"status": "resolved"}).json()["allowed"] == ["closed"]
    assert [m["text"] for m in carol.get(f"{at}/messages").json()["items"]] == ["It smokes.", "Paper out?", "Out."]
    metrics = {clock["metric"]: clock for clock in carol.get(f"{at}/sla").json()["items"]}
    assert metrics["first_response"]["state"] == "met"
    assert metrics["first_response"]["explanation"]
    assert [e["kind"] for e in alice.get(f"{at}/events").json()["items"]][:2] == ["ticket.opened", "ticket.accepted"]


def test_how_a_deadline_came_about_is_told_in_the_time_of_whoever_asks(web: Web) -> None:
    alice, at = web.program(web.cast.alice), f"/api/v1/tickets/{web.ticket(web.cast.carol, accepted=True)}/sla"
    [here, there] = (alice.get(f"{at}{zone}").json()["items"][0]["explanation"][-1] for zone in ("", "?zone=Asia/Kathmandu"))
    assert (here.split()[-1], there.split()[-1]) == ("UTC", "+0545")
    refused = alice.get(f"{at}?zone=Mars/Base")
    assert (refused.status_code, "Write one like Europe/Berlin" in refused.json()["detail"]) == (422, True)


@pytest.mark.parametrize("to", ["closed", "new", "in_progress"])
def test_a_step_that_is_not_allowed_is_409_and_names_what_is(web: Web, to: str) -> None:
    number = web.ticket(web.cast.carol)

    answer = web.program(web.cast.alice).post(f"/api/v1/tickets/{number}/status", json={"status": to})

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:atum-desk:problem:transition-refused"
    assert "Allowed from here: accepted, cancelled" in answer.json()["detail"]


def test_answering_before_accepting_is_refused(web: Web) -> None:
    number = web.ticket(web.cast.carol)

    answer = web.program(web.cast.alice).post(f"/api/v1/tickets/{number}/messages", json={"body": "Hm."})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:atum-desk:problem:not-accepted")


FIELDS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/tickets", {"subject": "x", "body": "x", "status": "closed"}),
    ("POST", "/api/v1/tickets", {"subject": "x", "body": "x", "organization_id": 2}),
    ("POST", "/api/v1/tickets", {"subject": "", "body": "x"}),
    ("POST", "/api/v1/tickets", {"subject": "x"}),
    ("POST", "/api/v1/tickets", {"subject": "x", "body": "x", "requester": "no address"}),
    ("POST", "/api/v1/tickets/{}/messages", {"body": "x", "author_id": 1}),
    ("POST", "/api/v1/tickets/{}/messages", {"body": "x", "internal": "perhaps"}),
    ("POST", "/api/v1/tickets/{}/status", {"status": "lost"}),
    ("POST", "/api/v1/tickets/{}/assignment", {"assignee_id": 999_999}),
    ("POST", "/api/v1/tickets/{}/assignment", {}),
    ("PATCH", "/api/v1/tickets/{}", {"priority": "extreme"}),
    ("PATCH", "/api/v1/tickets/{}", {"requester_id": 1}),
    ("POST", "/api/v1/auth/refresh", {"refresh_token": "x", "role": "admin"}),
]


@pytest.mark.parametrize(("method", "path", "body"), FIELDS)
def test_fields_that_are_unknown_or_wrong_are_refused_and_change_nothing(
    web: Web, method: str, path: str, body: dict[str, Any]
) -> None:
    number = web.ticket(web.cast.carol, accepted=True)

    answer = web.program(web.cast.alice).request(method, path.format(number), json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (web.status(number), len(web.said(number))) == ("accepted", 1)


def test_staff_open_tickets_for_others_and_customers_only_their_own(web: Web) -> None:
    body = {"subject": "x", "body": "x", "requester": "dave@acme.example"}

    assert web.program(web.cast.alice).post("/api/v1/tickets", json=body).json()["requester"]["name"] == "Dave"
    assert web.program(web.cast.carol).post("/api/v1/tickets", json=body).status_code == 403


def test_policies_are_for_managers_to_change(web: Web) -> None:
    policy = web.program(web.cast.alice).get("/api/v1/sla/policies").json()["items"][0]
    change = {"targets": {"first_response": {"urgent": 60}}}

    assert web.program(web.cast.alice).patch(f"/api/v1/sla/policies/{policy['id']}", json=change).status_code == 403
    changed = web.program(web.cast.bob).patch(f"/api/v1/sla/policies/{policy['id']}", json=change)
    assert changed.json()["targets"]["first_response"]["urgent"]["seconds"] == 60
    assert web.program(web.cast.carol).get("/api/v1/sla/policies").status_code == 403


def test_the_description_of_the_api_is_for_those_who_are_signed_in(web: Web) -> None:
    paths = web.program(web.cast.carol).get("/api/v1/openapi.json").json()["paths"]

    assert "/api/v1/tickets/{number}/acceptance" in paths
    assert "/tickets" not in paths


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/api/v1/tickets"), ("PUT", "/api/v1/tickets/1"), ("GET", "/api/v1/auth/login")]
)
def test_another_method_is_405_and_says_which_there_are(web: Web, method: str, path: str) -> None:
    answer = web.program(web.cast.alice).request(method, path)

    assert (answer.status_code, answer.json()["status"]) == (405, 405)
    assert answer.headers["allow"]


def test_what_the_api_does_not_have_is_a_problem_document(web: Web) -> None:
    answer = web.program(web.cast.alice).get("/api/v1/nothing")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_outsiders_are_told_the_health_and_not_its_parts(web: Web) -> None:
    told = web.program(web.cast.alice).get("/api/v1/health").json()
    assert set(told) == {"status", "timestamp", "version"}
    assert "components" in web.program(web.cast.root).get("/api/v1/health").json()
    assert web.program().get("/healthz").json() == {"status": "alive"}


def test_a_body_that_is_too_large_is_413(web: Web) -> None:
    body = {"subject": "x", "body": "x" * 1_100_000}

    assert web.program(web.cast.carol).post("/api/v1/tickets", json=body).status_code == 413


def test_a_body_that_is_no_json_is_refused(web: Web) -> None:
    headers = {"Content-Type": "application/json"}

    assert web.program(web.cast.carol).post("/api/v1/tickets", content="{", headers=headers).status_code == 422
