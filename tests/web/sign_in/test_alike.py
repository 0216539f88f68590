"""Nobody learns from an answer, nor from its time, whether an address is known here; and no secret is written anywhere."""

import logging
import time
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts import actions as accounts
from app.accounts.models import Person
from app.db.session import now as database_now
from app.migrations.tables import metadata
from tests.cast import PASSWORD
from tests.web.browser import SAME_ORIGIN
from tests.web.conftest import Web
from tests.web.sign_in.steps import AUTH, code, login, show, with_app, with_passkey, with_password, words

PEOPLE = ("alice@desk.example", "erin@desk.example", "nobody@desk.example", "carol@acme.example")
CANARY = "canary-3f9c1d77"


def cast(web: Web) -> None:
    """Alice has a password, Erin too but is disabled, nobody knows Nobody, and Carol has none."""
    with_password(web, web.cast.alice, web.cast.erin)
    with web.desk.db.transaction() as s:
        accounts.disable(s, s.get_one(Person, web.cast.erin.id), by=None, now=database_now(s))


def guess(web: Web, email: str) -> Any:
    return web.program().post(f"{AUTH}/login", data={"username": email, "password": "a guess"})


def test_unknown_disabled_and_known_people_are_answered_alike(web: Web) -> None:
    cast(web)
    seen = set()
    for email in PEOPLE:
        answer = guess(web, email)
        page = web.browser().post("/sign-in", data={"email": email, "password": "a guess"}, headers=SAME_ORIGIN)
        headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
        seen.add((answer.status_code, words(answer), str(headers), page.status_code, page.text.replace(email, "?")))
    assert len(seen) == 1
    disabled = login(web, web.cast.erin)
    assert (disabled.status_code, words(disabled)) == (401, words(guess(web, "nobody@desk.example")))


def test_unknown_disabled_and_known_people_cost_the_same_statements(web: Web, statements: list[str]) -> None:
    cast(web)
    sent = []
    for email in PEOPLE:
        statements.clear()
        guess(web, email)
        sent.append([" ".join(each.split()) for each in statements])
    assert sent[0]
    assert all(each == sent[0] for each in sent)


def test_unknown_and_known_people_take_the_same_time(web: Web) -> None:
    cast(web)
    gap = 1.0
    for _ in range(5):  # the least of many, in processor time, again if need be: other programs share this machine
        took: dict[str, list[float]] = {email: [] for email in PEOPLE[:3]}
        for _ in range(12):
            for email, times in took.items():
                web.desk.counters._own.clear()
                began = time.process_time()
                guess(web, email)
                times.append(time.process_time() - began)
        least = [min(times) for times in took.values()]
        gap = max(least) - min(least)
        if gap < 0.005:
            break
    assert gap < 0.005


def test_no_secret_is_in_the_log_the_audit_or_any_table(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with_password(web, web.cast.alice)
    secret, codes = with_app(web, web.cast.alice)
    login(web, web.cast.alice, CANARY)
    login(web, web.cast.alice, otp=CANARY)
    web.program().post(f"{AUTH}/login", data={"username": CANARY, "password": CANARY, "otp": CANARY, "more": CANARY})
    web.program().post(f"{AUTH}/login", data={"username": ["x", CANARY]})
    web.program().post(f"{AUTH}/refresh", json={"refresh_token": CANARY})
    web.program().get(f"{AUTH}/me", headers={"Authorization": f"Bearer {CANARY}"})
    web.program().get(f"{AUTH}/me", headers={"Cookie": f"__Host-sid={CANARY}"})
    show(web, {"rawId": CANARY, "response": {"clientDataJSON": CANARY}})
    web.browser().post("/sign-in", data={"email": CANARY, "password": CANARY}, headers=SAME_ORIGIN)
    shown = login(web, web.cast.alice, otp=code(web, secret)).json()
    alice = web.program(web.cast.bob)
    key = {"Idempotency-Key": "x"}
    made = alice.post("/api/v1/tokens", json={"name": "x", "scopes": ["tickets:read"]}, headers=key).json()["token"]
    begun = alice.post(f"{AUTH}/otp", headers=key | {"Idempotency-Key": "y"}).json()["secret"]
    fresh = web.program().post(f"{AUTH}/refresh", json={"refresh_token": shown["refresh_token"]}).json()
    with_passkey(web, web.cast.carol)
    secrets = [CANARY, PASSWORD, secret, *codes, made, begun, *(each.replace("-", "") for each in codes)]
    secrets += [each[name] for each in (shown, fresh) for name in ("access_token", "refresh_token")]

    written = "\n".join(record.getMessage() + repr(vars(record)) for record in caplog.records if record.name.startswith("app"))
    with web.desk.db.reading() as c:
        for table in metadata.tables:
            rows = c.execute(text("SELECT query_to_xml('SELECT * FROM ' || :name, true, true, '')::text"), {"name": f'"{table}"'})
            written += rows.scalar_one() or ""

    assert [each for each in secrets if each in written] == []
