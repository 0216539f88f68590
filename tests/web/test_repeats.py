"""Idempotency-Key: a request sent twice acts once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update

from app.tickets.models import Ticket
from app.web.models import Repeat
from tests.web.conftest import Web

NEW = {"subject": "Printer", "body": "It smokes."}


def tickets(web: Web) -> int:
    with web.desk.db.reading() as c:
        return c.execute(select(func.count()).select_from(Ticket)).scalar_one()


def send(web: Web, key: str, body: dict[str, Any] = NEW, by: Any = None) -> Any:
    program = web.program(by or web.cast.carol)
    return program.post("/api/v1/tickets", json=body, headers={"Idempotency-Key": key})


def test_the_same_request_twice_opens_one_ticket_and_is_answered_the_same(web: Web) -> None:
    first, second = send(web, "a"), send(web, "a")
    assert (first.status_code, second.status_code, tickets(web)) == (201, 201, 1)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def test_two_at_once_open_one_ticket(web: Web) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(web, "at once"), range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["number"] for answer in answers}) == tickets(web) == 1


def test_another_request_with_a_used_key_is_refused_and_changes_nothing(web: Web) -> None:
    send(web, "a")
    refused = send(web, "a", {"subject": "Another", "body": "matter"})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:atum-desk:problem:idempotency-key-reused")
    assert tickets(web) == 1


def test_a_key_is_its_senders_own(web: Web) -> None:
    send(web, "a")
    mallorys = send(web, "a", by=web.cast.mallory)
    assert mallorys.status_code == 201
    assert mallorys.json()["requester"]["email"] == web.cast.mallory.email
    assert tickets(web) == 2


def test_a_refused_request_can_be_tried_again_with_its_key(web: Web) -> None:
    assert send(web, "a", {"subject": "Printer", "body": ""}).status_code == 422
    assert send(web, "a").status_code == 201


def test_a_key_is_forgotten_after_a_day(web: Web) -> None:
    send(web, "a")
    with web.desk.db.transaction() as s:
        s.execute(update(Repeat).values(answered_at=Repeat.answered_at - timedelta(hours=25)))
    assert "idempotency-replayed" not in send(web, "a").headers
    assert tickets(web) == 2


def test_a_key_that_is_none_is_refused(web: Web) -> None:
    assert send(web, "x" * 256).status_code == 422
    assert tickets(web) == 0


def test_without_signing_in_a_key_opens_nothing(web: Web) -> None:
    answer = web.program().post("/api/v1/tickets", json=NEW, headers={"Idempotency-Key": "a", "Authorization": "Bearer no"})
    assert answer.status_code == 401


def test_what_is_shown_once_is_never_kept(web: Web) -> None:
    asked = {"name": "backup", "scopes": ["tickets:read"]}
    headers = {"Idempotency-Key": "a"}
    carol = web.program(web.cast.carol)
    first, second = (carol.post("/api/v1/tokens", json=asked, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["type"] == "urn:atum-desk:problem:shown-once"
    with web.desk.db.reading() as c:
        assert first.json()["token"].encode() not in c.execute(select(Repeat.body)).scalar_one()
