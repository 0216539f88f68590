"""What an attacker tried once, and what each try comes to."""

import base64
import json

import pytest

from app.accounts.models import Person
from tests.web.conftest import Web

HUGE = b"[" + b"[]," * 1_000_000 + b"[]]"
JSON = {"Content-Type": "application/json"}


def test_what_a_stranger_sends_to_the_api_is_refused_before_it_is_read(web: Web) -> None:
    answer = web.program().post("/api/v1/tickets", content=HUGE, headers=JSON)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_program_can_not_keep_a_worker_busy_with_a_huge_document(web: Web) -> None:
    assert web.program(web.cast.carol).post("/api/v1/tickets", content=HUGE, headers=JSON).status_code == 413


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://localhost", 401), ("https://localhost:8443", 403), ("null", 401), ("https://evil.example", 403)],
)
def test_signing_in_is_for_forms_of_this_desk(web: Web, origin: str, status: int) -> None:
    form = {"email": "alice@desk.example", "password": "a wrong password"}
    assert web.browser().post("/sign-in", data=form, headers={"Origin": origin}).status_code == status


def test_no_redirect_is_made_from_what_a_request_calls_us(web: Web) -> None:
    assert web.program(web.cast.alice).get("/api/v1/tickets/").status_code == 404


@pytest.mark.parametrize("token", ["\ud800", "", "x" * 100_000])
def test_an_odd_refresh_token_is_refused_in_words(web: Web, token: str) -> None:
    body = json.dumps({"refresh_token": token})
    assert web.program().post("/api/v1/auth/refresh", content=body, headers=JSON).status_code in {401, 422}


def test_half_a_character_in_a_password_is_refused_in_words(web: Web) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: text/plain; charset=unicode_escape\r\n\r\n%s\r\n'
    body = part % (b"username", b"\\ud800@desk.example") + part % (b"password", b"\\ud800") + b"--x--\r\n"
    answer = web.program().post("/api/v1/auth/login", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in {401, 422}


@pytest.mark.parametrize("path", ["/tickets/", "/my/tickets/", "/attachments/", "/messages/"])
def test_a_number_of_five_thousand_digits_is_no_page(web: Web, path: str) -> None:
    assert web.browser(web.cast.alice).get(path + "9" * 5000).status_code == 404


def test_a_cursor_beyond_all_numbers_is_refused_in_words(web: Web) -> None:
    cursor = base64.urlsafe_b64encode(b'["2026-01-01T00:00:00+00:00", Infinity]').decode()
    assert web.program(web.cast.alice).get("/api/v1/tickets", params={"cursor": cursor}).status_code == 422


def test_a_note_does_not_show_by_its_time(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    carol = web.program(web.cast.carol)
    before = carol.get(f"/api/v1/tickets/{number}").json()
    web.note(number, "Between us.")
    assert carol.get(f"/api/v1/tickets/{number}").json() == before


@pytest.mark.parametrize("assignee", [True, "1"])
def test_only_a_number_is_a_persons_number(web: Web, assignee: object) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    answer = web.program(web.cast.alice).post(f"/api/v1/tickets/{number}/assignment", json={"assignee_id": assignee})
    assert answer.status_code == 422


def test_changing_nothing_of_a_policy_changes_nothing(web: Web) -> None:
    bob = web.program(web.cast.bob)
    [before] = bob.get("/api/v1/sla/policies").json()["items"]
    assert bob.patch(f"/api/v1/sla/policies/{before['id']}", json={}).json() == before


def test_two_domains_that_only_look_alike_when_folded_are_two(web: Web) -> None:
    alice: Person = web.cast.alice
    tickets = [
        web.program(alice).post("/api/v1/tickets", json={"subject": "x", "body": "y", "requester": address}).json()
        for address in ("info@straße.example", "info@strasse.example")
    ]
    assert tickets[0]["requester"]["id"] != tickets[1]["requester"]["id"]
