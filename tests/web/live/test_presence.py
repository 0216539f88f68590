"""Who is looking at a ticket, and who is typing."""

from datetime import UTC, datetime, timedelta

import pytest
import redis
from starlette.testclient import TestClient

from app.accounts.models import Person
from app.db.redis import Board
from tests.web.conftest import Web
from tests.web.live.conftest import Listen

pytestmark = pytest.mark.db


@pytest.fixture
def board(web: Web, redis_url: str) -> redis.Redis:
    """The Redis that the desk uses in this test."""
    web.app.state.live.board = Board(redis_url)
    found = redis.Redis.from_url(redis_url)
    found.flushall()
    return found


def people(program: TestClient, number: int) -> list[tuple[str, str]]:
    answer = program.get(f"/api/v1/tickets/{number}/presence")
    assert answer.status_code == 200
    return [(each["name"], each["doing"]) for each in answer.json()["items"]]


def come(web: Web, person: Person, number: int, doing: str = "viewing") -> int:
    return web.program(person).put(f"/api/v1/tickets/{number}/presence", json={"doing": doing}).status_code


def test_agents_see_who_is_looking_and_who_is_typing(web: Web, board: redis.Redis) -> None:
    number, alice = web.ticket(web.cast.carol), web.program(web.cast.alice)
    assert people(alice, number) == []
    assert come(web, web.cast.bob, number, "typing") == 200
    told = alice.put(f"/api/v1/tickets/{number}/presence", json={"doing": "viewing"}).json()["items"]
    assert [(each["name"], each["doing"]) for each in told] == [("Alice", "viewing"), ("Bob", "typing")]
    left = datetime.fromisoformat(told[0]["until"]) - datetime.now(UTC)
    assert timedelta(seconds=25) < left <= timedelta(seconds=30)
    assert alice.delete(f"/api/v1/tickets/{number}/presence").status_code == 204
    assert people(alice, number) == [("Bob", "typing")]


def test_it_is_forgotten_after_half_a_minute(web: Web, board: redis.Redis) -> None:
    number = web.ticket(web.cast.carol)
    come(web, web.cast.bob, number)
    assert 25 < board.ttl(f"presence:{number}") <= 30
    board.hset(f"presence:{number}", "7", '{"name": "Old", "doing": "viewing", "until": 1.0}')
    assert people(web.program(web.cast.alice), number) == [("Bob", "viewing")]


@pytest.mark.parametrize(
    "planted", ["{", "[]", '{"name": 1}', '{"name": "x", "doing": "viewing", "until": 1e400}', '"x"', "\x80\x04"]
)
def test_whatever_stands_in_redis_is_no_person(web: Web, board: redis.Redis, planted: str) -> None:
    number = web.ticket(web.cast.carol)
    board.hset(f"presence:{number}", mapping={"7": planted, "x": "{}"})
    assert people(web.program(web.cast.alice), number) == []


def test_with_redis_gone_nobody_is_there_and_nothing_breaks(web: Web) -> None:
    number, alice = web.ticket(web.cast.carol), web.program(web.cast.alice)
    assert come(web, web.cast.bob, number) == 200
    assert people(alice, number) == []
    assert alice.delete(f"/api/v1/tickets/{number}/presence").status_code == 204


def test_it_is_not_for_customers_nor_for_agents_of_other_teams(web: Web, board: redis.Redis) -> None:
    number = web.ticket(web.cast.carol)
    web.to_team(number, web.cast.billing)
    assert come(web, web.cast.carol, number) == 403
    assert come(web, web.cast.alice, number) == 404
    assert come(web, web.cast.erin, number) == 200
    assert come(web, web.cast.bob, number + 1) == 404
    assert web.program(web.cast.mallory).get(f"/api/v1/tickets/{number}/presence").status_code == 404


@pytest.mark.parametrize("body", [{"doing": "sleeping"}, {}, {"doing": "viewing", "name": "Root"}, {"doing": "viewing", "id": 1}])
def test_nobody_says_it_for_others(web: Web, board: redis.Redis, body: dict[str, object]) -> None:
    number = web.ticket(web.cast.carol)
    assert web.program(web.cast.alice).put(f"/api/v1/tickets/{number}/presence", json=body).status_code == 422


def test_an_idempotency_key_does_no_harm(web: Web, board: redis.Redis) -> None:
    number, headers = web.ticket(web.cast.carol), {"Idempotency-Key": "one"}
    for _ in range(2):
        answer = web.program(web.cast.alice).put(f"/api/v1/tickets/{number}/presence", json={"doing": "typing"}, headers=headers)
        assert answer.status_code == 200


def test_streams_of_the_staff_hear_it_within_two_seconds_and_no_customers(web: Web, board: redis.Redis, listen: Listen) -> None:
    number = web.ticket(web.cast.carol)
    alice, carol = listen(web.cast.alice), listen(web.cast.carol)
    come(web, web.cast.bob, number, "typing")
    [told] = alice.heard("presence", seconds=2)
    assert (told.data["ticket"], [p["name"] for p in told.data["people"]], told.id) == (number, ["Bob"], None)
    web.program(web.cast.bob).delete(f"/api/v1/tickets/{number}/presence")
    assert alice.heard("presence", least=2, seconds=2)[-1].data["people"] == []
    assert carol.quiet(0.2) == []


def test_streams_of_another_team_hear_nothing_of_it(web: Web, board: redis.Redis, listen: Listen) -> None:
    number = web.ticket(web.cast.carol)
    web.to_team(number, web.cast.billing)
    alice, erin = listen(web.cast.alice), listen(web.cast.erin)
    come(web, web.cast.bob, number)
    assert erin.heard("presence")
    assert alice.quiet(0.2) == []
