"""The second factor by the API, and what opens without one."""

from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import update

from app.accounts.models import SignIn
from app.accounts.rules import Role
from tests.web.conftest import Web
from tests.web.sign_in.steps import (
    AUTH,
    bearer,
    code,
    forget_steps,
    login,
    require_factor,
    slug,
    told,
    with_app,
    with_passkey,
    with_password,
    words,
    wrong_code,
)


def test_setting_up_an_app_and_signing_in_with_it(web: Web) -> None:
    with_password(web, web.cast.alice)
    alice, elsewhere = web.program(web.cast.alice), web.program(web.cast.alice)
    assert alice.get(f"{AUTH}/otp").json() == {"enabled": False, "since": None, "recovery_codes_left": 0, "required": False}

    made = alice.post(f"{AUTH}/otp")
    secret = made.json()["secret"]
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert pyotp.parse_uri(made.json()["uri"]).name == "alice@desk.example"
    assert login(web, web.cast.alice).status_code == 200

    wrong = alice.post(f"{AUTH}/otp/confirmation", json={"otp": wrong_code(web, secret)})
    assert (wrong.status_code, slug(wrong)) == (422, "wrong-code")
    codes = alice.post(f"{AUTH}/otp/confirmation", json={"otp": code(web, secret)}).json()["recovery_codes"]
    assert len(codes) == 10
    assert alice.get(f"{AUTH}/otp").json()["recovery_codes_left"] == 10
    assert elsewhere.get(f"{AUTH}/me").status_code == 401  # opened without the app

    without = login(web, web.cast.alice)
    assert (without.status_code, slug(without)) == (401, "otp-required")
    forget_steps(web)
    assert login(web, web.cast.alice, otp=code(web, secret)).json()["restricted"] is False
    again = login(web, web.cast.alice, otp=code(web, secret))
    assert (again.status_code, slug(again)) == (401, "wrong-otp")
    assert login(web, web.cast.alice, otp=codes[3]).status_code == 200
    assert slug(login(web, web.cast.alice, otp=codes[3])) == "wrong-otp"


def test_whether_there_is_a_second_factor_is_told_only_to_who_knows_the_password(web: Web) -> None:
    with_password(web, web.cast.alice, web.cast.bob)
    secret, _ = with_app(web, web.cast.alice)
    guesses = [
        login(web, web.cast.alice, "a guess"),
        login(web, web.cast.alice, "a guess", otp=code(web, secret)),
        login(web, web.cast.bob, "a guess"),
    ]
    assert {slug(guess) for guess in guesses} == {"wrong-password"}
    assert len({words(guess) for guess in guesses}) == 1


def test_wrong_codes_are_counted_although_they_are_refused_and_told_in_the_audit(web: Web) -> None:
    with_password(web, web.cast.alice)
    secret, _ = with_app(web, web.cast.alice)
    said = [login(web, web.cast.alice, otp=wrong_code(web, secret)) for _ in range(6)]
    assert [slug(each) for each in said] == ["wrong-otp"] * 5 + ["too-many"]
    assert 1 <= int(said[-1].headers["retry-after"]) <= 900
    assert login(web, web.cast.alice, otp=code(web, secret)).status_code == 429
    assert {row["why"] for row in told(web, "person.sign_in_refused")} == {"wrong code"}
    assert len(told(web, "person.sign_in_refused")) == 5


def test_new_codes_and_removal_take_a_code(web: Web) -> None:
    secret, codes = with_app(web, web.cast.alice)
    alice = web.program(web.cast.alice)
    for path in ("recovery-codes", "removal"):
        assert alice.post(f"{AUTH}/otp/{path}", json={"otp": "no"}).status_code == 422
    fresh = alice.post(f"{AUTH}/otp/recovery-codes", json={"otp": codes[0]}).json()["recovery_codes"]
    assert not set(fresh) & set(codes)
    assert alice.post(f"{AUTH}/otp/removal", json={"otp": codes[1]}).status_code == 422
    assert alice.post(f"{AUTH}/otp/removal", json={"otp": code(web, secret)}).status_code == 204
    assert alice.get(f"{AUTH}/otp").json()["enabled"] is False
    assert slug(alice.post(f"{AUTH}/otp/removal", json={"otp": "123456"})) == "no-otp"


def test_where_a_role_requires_a_factor_whoever_has_none_may_only_set_one_up(web: Web) -> None:
    with_password(web, web.cast.alice)
    require_factor(web, Role.AGENT)

    tokens = login(web, web.cast.alice).json()
    alice = bearer(web, tokens["access_token"])

    assert tokens["restricted"] is True
    for path in ("/api/v1/tickets", "/api/v1/users", "/api/v1/sla/policies"):
        refused = alice.get(path)
        assert (refused.status_code, slug(refused)) == (403, "second-factor-needed"), path
    assert slug(alice.post("/api/v1/tokens", json={"name": "x", "scopes": ["tickets:read"]})) == "second-factor-needed"
    assert alice.get(f"{AUTH}/otp").json()["required"] is True
    secret = alice.post(f"{AUTH}/otp").json()["secret"]
    assert alice.post(f"{AUTH}/otp/confirmation", json={"otp": code(web, secret)}).status_code == 200
    assert alice.get("/api/v1/tickets").status_code == 200
    assert web.program(web.cast.carol).get("/api/v1/tickets").status_code == 200


def test_a_refreshed_session_is_as_restricted_as_before(web: Web) -> None:
    with_password(web, web.cast.alice)
    require_factor(web, Role.AGENT)
    tokens = login(web, web.cast.alice).json()
    fresh = web.program().post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]}).json()
    assert fresh["restricted"] is True
    assert bearer(web, fresh["access_token"]).get("/api/v1/tickets").status_code == 403


def test_a_thief_with_the_password_gains_nothing_when_the_owner_sets_up_a_factor(web: Web) -> None:
    with_password(web, web.cast.alice)
    require_factor(web, Role.AGENT)
    thief = bearer(web, login(web, web.cast.alice).json()["access_token"])
    with_passkey(web, web.cast.alice)
    assert thief.get(f"{AUTH}/me").status_code == 401


def test_requiring_a_factor_holds_for_those_who_are_signed_in_already_and_their_tokens(web: Web) -> None:
    with_passkey(web, web.cast.erin)
    alice, erin = web.program(web.cast.alice), web.program(web.cast.erin)
    key = bearer(web, web.api_token(web.cast.alice, ["tickets:read"]))
    assert key.get("/api/v1/tickets").status_code == 200

    require_factor(web, Role.AGENT)
    assert slug(alice.get("/api/v1/tickets")) == slug(key.get("/api/v1/tickets")) == "second-factor-needed"
    assert erin.get("/api/v1/tickets").status_code == 200

    require_factor(web, Role.AGENT, required=False)
    assert alice.get("/api/v1/tickets").status_code == key.get("/api/v1/tickets").status_code == 200


def test_the_last_required_factor_can_not_be_removed(web: Web) -> None:
    secret, _ = with_app(web, web.cast.alice)
    require_factor(web, Role.AGENT)
    alice = web.program(web.cast.alice)
    assert alice.post(f"{AUTH}/otp/removal", json={"otp": code(web, secret)}).status_code == 409
    assert alice.post(f"{AUTH}/otp/recovery-codes", json={"otp": code(web, secret)}).status_code == 200  # it was not spent


def test_who_has_only_a_passkey_comes_in_by_it_where_a_factor_is_required(web: Web) -> None:
    with_password(web, web.cast.alice)
    with_passkey(web, web.cast.alice)
    assert login(web, web.cast.alice).status_code == 200
    require_factor(web, Role.AGENT)
    refused = login(web, web.cast.alice)
    assert (refused.status_code, slug(refused)) == (401, "passkey-required")


def test_role_policies_are_administrators_business_and_audited(web: Web) -> None:
    root = web.program(web.cast.root)
    for person in (web.cast.carol, web.cast.alice, web.cast.bob):
        assert web.program(person).get("/api/v1/role-policies").status_code == 403
        assert web.program(person).put("/api/v1/role-policies/admin", json={"second_factor_required": False}).status_code == 403
    require_factor(web, Role.MANAGER)
    require_factor(web, Role.MANAGER)
    found = {each["role"]: each["second_factor_required"] for each in root.get("/api/v1/role-policies").json()["items"]}
    assert found == {"customer": False, "customer_admin": False, "agent": False, "manager": True, "admin": False}
    [row] = told(web, "role_policy.changed")
    assert (row["role"], row["second_factor_required"], row["actor"]) == ("manager", True, "Root <root@desk.example>")
    for odd in ({}, {"second_factor_required": "yes"}, {"second_factor_required": True, "more": 1}):
        assert root.put("/api/v1/role-policies/agent", json=odd).status_code == 422
    assert root.put("/api/v1/role-policies/nobody", json={"second_factor_required": True}).status_code == 422


@pytest.mark.parametrize("path", ["/api/v1/auth/otp", "/api/v1/auth/passkeys/options", "/api/v1/tokens"])
def test_somebody_at_a_screen_left_long_ago_signs_in_again_before_making_a_way_in(web: Web, path: str) -> None:
    alice = web.program(web.cast.alice)
    with web.desk.db.transaction() as s:
        s.execute(update(SignIn).values(created_at=SignIn.created_at - timedelta(hours=3)))
    body = {"name": "x", "scopes": ["tickets:read"]} if path.endswith("tokens") else None
    refused = alice.post(path, json=body)
    assert (refused.status_code, slug(refused)) == (403, "sign-in-again")


def test_whoever_lost_phone_and_codes_is_helped_by_somebody_above_them(web: Web) -> None:
    with_password(web, web.cast.alice)
    with_app(web, web.cast.alice)
    with_passkey(web, web.cast.root)
    alice, path = web.program(web.cast.alice), "/api/v1/users/{}/second-factors".format

    for helpless in (web.cast.carol, web.cast.erin, web.cast.alice):
        assert web.program(helpless).delete(path(web.cast.alice.id)).status_code == 403
    assert web.program(web.cast.bob).delete(path(web.cast.root.id)).status_code == 403
    assert web.program(web.cast.root).delete(path(web.cast.root.id)).status_code == 409
    assert slug(login(web, web.cast.alice)) == "otp-required"
    assert web.program(web.cast.bob).delete(path(web.cast.alice.id)).status_code == 200

    assert alice.get(f"{AUTH}/me").status_code == 401
    assert login(web, web.cast.alice).status_code == 200
    assert told(web, "person.second_factor_removed")[-1]["actor"] == "Bob <bob@desk.example>"
