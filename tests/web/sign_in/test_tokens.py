"""API tokens: shown once, kept as a hash, good for what they were given for."""

import re
from datetime import timedelta

from sqlalchemy import select, update

from app.accounts import actions as accounts
from app.accounts.models import ApiToken, Person
from app.core import ids
from app.db.session import now as database_now
from tests.web.conftest import Web
from tests.web.sign_in.steps import AUTH, bearer, slug, told

TOKENS = "/api/v1/tokens"


def make(web: Web, person: object = None, **more: object) -> dict[str, object]:
    asked = {"name": "Nightly", "scopes": ["tickets:read"], **more}
    answer = web.program(person or web.cast.alice).post(TOKENS, json=asked)  # type: ignore[arg-type]
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_token_is_shown_once_and_only_its_hash_is_kept(web: Web) -> None:
    made = make(web)
    words = str(made["token"])
    assert re.fullmatch(r"atum_[a-z2-7]{32}[a-z2-7]{7}", words)
    assert words.startswith(str(made["prefix"]))
    assert len(str(made["prefix"])) < 16
    [listed] = web.program(web.cast.alice).get(TOKENS).json()["items"]
    assert "token" not in listed
    assert listed["name"] == "Nightly"
    with web.desk.db.transaction() as s:
        row = s.scalars(select(ApiToken)).one()
        assert row.token_hash == ids.fingerprint(words)
        assert words not in repr(vars(row))
    [row_told] = told(web, "person.token_made")
    assert words not in repr(row_told)


def test_a_token_does_what_it_was_given_for_and_no_more(web: Web) -> None:
    reading = bearer(web, str(make(web, scopes=["tickets:read"])["token"]))
    writing = bearer(web, str(make(web, scopes=["tickets:write"])["token"]))
    new = {"subject": "Printer", "body": "It smokes."}
    assert reading.get("/api/v1/tickets").status_code == writing.get("/api/v1/tickets").status_code == 200
    assert slug(reading.post("/api/v1/tickets", json=new)) == "scope-missing"
    assert writing.post("/api/v1/tickets", json=new).status_code == 201
    assert slug(reading.get(f"{AUTH}/me")) == "scope-missing"


def test_a_token_is_never_more_than_its_owner(web: Web) -> None:
    carols = bearer(web, str(make(web, web.cast.carol, scopes=["tickets:write", "people:write", "audit:read"])["token"]))
    assert carols.get("/api/v1/role-policies").status_code == 403
    number = web.ticket(web.cast.mallory)
    assert carols.get(f"/api/v1/tickets/{number}").status_code == 404


def test_a_token_makes_no_token_and_ends_no_session(web: Web) -> None:
    key = bearer(web, str(make(web, scopes=["account:read", "people:write"])["token"]))
    assert key.post(TOKENS, json={"name": "more", "scopes": ["people:write"]}).status_code == 403
    assert key.delete(f"{AUTH}/sessions").status_code == 403
    assert key.post(f"{AUTH}/otp").status_code == 403
    assert key.post(f"{AUTH}/passkeys/options").status_code == 403
    assert key.get(TOKENS).status_code == 200


def test_a_token_ends_when_it_is_revoked_when_it_expires_and_with_its_owner(web: Web) -> None:
    revoked, expired, owners = (make(web) for _ in range(3))
    alice = web.program(web.cast.alice)
    assert alice.delete(f"{TOKENS}/{revoked['id']}").status_code == 204
    assert alice.delete(f"{TOKENS}/{revoked['id']}").status_code == 404
    with web.desk.db.transaction() as s:
        past = database_now(s) - timedelta(seconds=1)
        s.execute(update(ApiToken).where(ApiToken.id == expired["id"]).values(expires_at=past))
    for gone in (revoked, expired):
        assert bearer(web, str(gone["token"])).get("/api/v1/tickets").status_code == 401
    assert bearer(web, str(owners["token"])).get("/api/v1/tickets").status_code == 200
    with web.desk.db.transaction() as s:
        accounts.disable(s, s.get_one(Person, web.cast.alice.id), by=None, now=database_now(s))
    assert bearer(web, str(owners["token"])).get("/api/v1/tickets").status_code == 401


def test_mallory_neither_sees_nor_revokes_carols_tokens(web: Web) -> None:
    made, mallory = make(web, web.cast.carol), web.program(web.cast.mallory)
    assert mallory.get(TOKENS).json() == {"items": [], "next": None}
    assert mallory.delete(f"{TOKENS}/{made['id']}").status_code == 404
    assert bearer(web, str(made["token"])).get("/api/v1/tickets").status_code == 200


def test_when_a_token_was_used_is_told(web: Web) -> None:
    made = make(web)
    with web.desk.db.transaction() as s:
        s.execute(update(ApiToken).values(created_at=ApiToken.created_at - timedelta(hours=1)))
    assert web.program(web.cast.alice).get(TOKENS).json()["items"][0]["used_at"] is None
    bearer(web, str(made["token"])).get("/api/v1/tickets")
    assert web.program(web.cast.alice).get(TOKENS).json()["items"][0]["used_at"] is not None


def test_a_mistyped_token_is_known_without_asking_the_database(web: Web, statements: list[str]) -> None:
    words = str(make(web)["token"])
    statements.clear()
    for odd in (words[:-1] + ("a" if words[-1] != "a" else "b"), "atum_", "atum_\ud7ff", words + "a"):
        answer = web.program().get("/api/v1/tickets", headers=[(b"Authorization", f"Bearer {odd}".encode())])
        assert answer.status_code == 401
    assert not [each for each in statements if "api_token" in each]


def test_odd_wishes_for_a_token_are_refused_in_words(web: Web) -> None:
    alice = web.program(web.cast.alice)
    for odd in (
        {"name": "", "scopes": ["tickets:read"]},
        {"name": "\u202e", "scopes": ["tickets:read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["tickets:read"], "days": 0},
        {"name": "x", "scopes": ["tickets:read"], "days": 10**9},
        {"name": "x", "scopes": ["tickets:read"], "more": 1},
    ):
        assert alice.post(TOKENS, json=odd).status_code == 422, odd
    assert make(web, days=None)["expires_at"] is None


def test_a_repeated_wish_makes_one_token_and_its_words_are_kept_nowhere(web: Web) -> None:
    alice = web.program(web.cast.alice)
    asked, key = {"name": "Nightly", "scopes": ["tickets:read"]}, {"Idempotency-Key": "night"}
    first, second = (alice.post(TOKENS, json=asked, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code, slug(second)) == (201, 409, "shown-once")
    assert len(alice.get(TOKENS).json()["items"]) == 1
