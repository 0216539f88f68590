"""Passkeys: who has one comes in by it, and nobody by anything that only looks like it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.accounts import challenges, throttle
from app.accounts.models import Passkey, Person, SpentChallenge
from app.accounts.rules import Role
from tests.web.authenticator import Authenticator, encode
from tests.web.conftest import Web
from tests.web.sign_in.steps import (
    AUTH,
    bearer,
    options,
    options_to_add,
    require_factor,
    show,
    slug,
    told,
    with_app,
    with_passkey,
    with_password,
    words,
)

PASSKEYS = f"{AUTH}/passkeys"


def refused(answer: Any) -> bool:
    return answer.status_code == 401 and slug(answer) == "passkey-refused"


def test_a_passkey_lets_its_owner_in_without_a_name_a_password_or_a_code(web: Web) -> None:
    with_app(web, web.cast.alice)
    device = with_passkey(web, web.cast.alice)
    asked = options(web)
    assert (asked["rpId"], asked["allowCredentials"], asked["userVerification"]) == ("localhost", [], "preferred")

    tokens = show(web, device.get(asked)).json()

    assert bearer(web, tokens["access_token"]).get(f"{AUTH}/me").json()["name"] == "Alice"
    [mine] = web.program(web.cast.alice).get(PASSKEYS).json()["items"]
    assert mine["name"] == "Laptop"
    assert mine["used_at"] is not None


def test_making_a_passkey_asks_for_one_that_knows_its_owner(web: Web) -> None:
    asked = options_to_add(web.program(web.cast.root))
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["attestation"] == "none"
    assert asked["rp"]["id"] == "localhost"
    device = with_passkey(web, web.cast.root)
    assert [each["id"] for each in options_to_add(web.program(web.cast.root))["excludeCredentials"]] == [encode(device.id)]


@pytest.mark.parametrize(
    "odd",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost"},
        {"origin": "https://localhost.evil.example"},
        {"origin": "https://localhost:8443"},
        {"type": "webauthn.create"},
        {"challenge": "AAAA"},
        {"challenge": 1},
        {"crossOrigin": True},
    ],
)
def test_what_another_page_had_signed_is_refused(web: Web, odd: dict[str, Any]) -> None:
    device = with_passkey(web, web.cast.carol)
    assert refused(show(web, device.get(options(web), **odd)))


def test_another_hosts_passkey_is_refused(web: Web) -> None:
    device = with_passkey(web, web.cast.carol)
    device.rp_id = "evil.example"
    assert refused(show(web, device.get(options(web))))


def test_an_answer_is_good_once(web: Web) -> None:
    device = with_passkey(web, web.cast.carol, counts=False)
    answer = device.get(options(web))
    assert show(web, answer).status_code == 200
    assert refused(show(web, answer))
    with web.desk.db.transaction() as s:
        assert s.scalar(select(func.count()).select_from(SpentChallenge)) == 2  # adding, and signing in


def test_an_answer_sent_many_times_at_once_lets_one_in(web: Web) -> None:
    answer = with_passkey(web, web.cast.carol, counts=False).get(options(web))
    with ThreadPoolExecutor(5) as pool:
        said = Counter(reply.status_code for reply in pool.map(lambda _: show(web, answer), range(5)))
    assert said == {200: 1, 401: 4}


def test_a_challenge_of_yesterday_is_none(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    device = with_passkey(web, web.cast.carol)
    monkeypatch.setattr(challenges, "LIFE", -challenges.LIFE)
    asked = options(web)
    monkeypatch.undo()
    assert refused(show(web, device.get(asked)))


def test_a_challenge_for_adding_signs_nobody_in_and_the_other_way_round(web: Web) -> None:
    device, carol = with_passkey(web, web.cast.carol), web.program(web.cast.carol)
    assert refused(show(web, device.get({"challenge": options_to_add(carol)["challenge"]})))
    asked = options_to_add(carol) | {"challenge": options(web)["challenge"]}
    assert carol.post(PASSKEYS, json={"credential": Authenticator().create(asked)}).status_code == 422


def test_mallory_can_not_finish_what_carol_began(web: Web) -> None:
    carol, mallory, device = web.program(web.cast.carol), web.program(web.cast.mallory), Authenticator()
    made = device.create(options_to_add(carol))
    assert mallory.post(PASSKEYS, json={"credential": made}).status_code == 422
    assert web.program(web.cast.carol).post(PASSKEYS, json={"credential": made}).status_code == 422  # another session of hers
    assert carol.post(PASSKEYS, json={"credential": made}).status_code == 201
    assert carol.post(PASSKEYS, json={"credential": made}).status_code == 422


def test_a_passkey_that_was_copied_is_refused_and_told(web: Web) -> None:
    device = with_passkey(web, web.cast.carol)
    assert show(web, device.get(options(web))).status_code == 200
    device.count = 0
    assert refused(show(web, device.get(options(web))))
    [row] = told(web, "person.sign_in_refused")
    assert (row["person"], row["why"]) == ("carol@acme.example", "passkey was copied (its count went back)")


def test_carols_passkey_is_not_mallorys(web: Web) -> None:
    carols, mallorys = with_passkey(web, web.cast.carol), with_passkey(web, web.cast.mallory)
    with_her_name = mallorys.get(options(web))
    with_her_name["response"]["userHandle"] = encode(carols.handle)
    with_her_id = mallorys.get(options(web)) | {"id": encode(carols.id), "rawId": encode(carols.id)}
    without_a_name = mallorys.get(options(web))
    del without_a_name["response"]["userHandle"]
    for each in (with_her_name, with_her_id, without_a_name):
        assert refused(show(web, each))
    known = Authenticator(id=carols.id)
    mallory = web.program(web.cast.mallory)
    taken = mallory.post(PASSKEYS, json={"credential": known.create(options_to_add(mallory))})
    assert taken.status_code == 409


def test_administrators_and_managers_need_a_pin_or_a_finger(web: Web) -> None:
    for person in (web.cast.root, web.cast.bob):
        program, weak = web.program(person), Authenticator(verifies=False)
        assert program.post(PASSKEYS, json={"credential": weak.create(options_to_add(program))}).status_code == 422
        device = with_passkey(web, person)
        device.verifies = False
        assert refused(show(web, device.get(options(web))))
        device.verifies = True
        assert show(web, device.get(options(web))).status_code == 200
    assert show(web, with_passkey(web, web.cast.carol, verifies=False).get(options(web))).status_code == 200


def test_a_passkey_alone_is_no_way_round_a_second_factor(web: Web) -> None:
    device = with_passkey(web, web.cast.alice, verifies=False)
    assert show(web, device.get(options(web))).status_code == 200
    require_factor(web, Role.AGENT)
    assert refused(show(web, device.get(options(web))))
    device.verifies = True
    assert show(web, device.get(options(web))).json()["restricted"] is False


def test_disabled_people_and_unknown_passkeys_are_refused_alike(web: Web) -> None:
    device = with_passkey(web, web.cast.carol)
    unknown = show(web, Authenticator().get(options(web)))
    web.program(web.cast.root).get(f"{AUTH}/me")
    with web.desk.db.transaction() as s:
        carol = s.get_one(Person, web.cast.carol.id)
        carol.disabled_at = carol.created_at
    disabled = show(web, device.get(options(web)))
    assert refused(disabled)
    assert (unknown.status_code, words(unknown)) == (disabled.status_code, words(disabled))


def test_a_passkey_works_while_strangers_besiege_the_account(web: Web) -> None:
    with_password(web, web.cast.carol)
    device = with_passkey(web, web.cast.carol)
    key = throttle._account_key(web.cast.carol.email)
    for _ in range(throttle.ACCOUNT + 1):
        web.desk.counters.add(key, lasting=throttle.WINDOW)
    form = {"username": web.cast.carol.email, "password": "correct horse battery"}
    assert web.program().post(f"{AUTH}/login", data=form).status_code == 429
    assert show(web, device.get(options(web))).status_code == 200


def test_removing_a_passkey_ends_it_and_only_its_owner_may(web: Web) -> None:
    device, carol = with_passkey(web, web.cast.carol), web.program(web.cast.carol)
    [mine] = carol.get(PASSKEYS).json()["items"]
    assert web.program(web.cast.mallory).delete(f"{PASSKEYS}/{mine['id']}").status_code == 404
    require_factor(web, Role.CUSTOMER)
    assert carol.delete(f"{PASSKEYS}/{mine['id']}").status_code == 409
    require_factor(web, Role.CUSTOMER, required=False)
    assert carol.delete(f"{PASSKEYS}/{mine['id']}").status_code == 204
    assert refused(show(web, device.get(options(web))))


def test_answered_challenges_are_forgotten_when_they_would_have_ended(web: Web) -> None:
    device = with_passkey(web, web.cast.carol)
    with web.desk.db.transaction() as s:
        s.execute(update(SpentChallenge).values(expires_at=SpentChallenge.expires_at - 3 * challenges.LIFE))
    show(web, device.get(options(web)))
    with web.desk.db.transaction() as s:
        assert s.scalar(select(func.count()).select_from(SpentChallenge)) == 1


def _odd() -> list[Any]:
    good = Authenticator(handle=b"x").get({"challenge": "AAAA"})
    odd: list[Any] = [{}, {"response": None}, {"response": []}, {"rawId": 1, "response": {"clientDataJSON": "e30"}}]
    values: list[Any] = [None, 1, "", "ü", "%%%", "A" * 100_000, [], {}]
    odd += [{**good, "response": {**good["response"], name: value}} for name in good["response"] for value in values]
    return odd


def test_odd_answers_are_refused_in_words(web: Web) -> None:
    carol = web.program(web.cast.carol)
    for each in _odd():
        assert show(web, each).status_code in {401, 429}
        assert carol.post(PASSKEYS, json={"credential": each}).status_code == 422


@pytest.mark.parametrize("name", ["authenticatorData", "signature", "userHandle"])
def test_odd_answers_to_a_real_challenge_are_refused_in_words(web: Web, name: str) -> None:
    device = with_passkey(web, web.cast.carol)
    values: list[Any] = [None, 1, "", "ü", "AAAA", encode(b"\xff" * 2000)]
    for value in values:
        answer = device.get(options(web))
        answer["response"][name] = value
        assert refused(show(web, answer)), value


def test_odd_passkeys_are_refused_in_words(web: Web) -> None:
    carol = web.program(web.cast.carol)
    short = b"\xa3cfmtdnonegattStmt\xa0hauthData\x58\x25" + bytes(37)
    for value in (b"", b"\xff", b"\xa0", short, b"\x9f" * 5000, b"\xa3cfmtctpmgattStmt\xa0hauthData\x40"):
        made = Authenticator().create(options_to_add(carol))
        made["response"]["attestationObject"] = encode(value)
        assert carol.post(PASSKEYS, json={"credential": made}).status_code == 422, value[:10]
    with web.desk.db.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Passkey)) == 0
