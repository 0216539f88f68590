"""What no route may do, tried on all of them."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import Head
from app.db.redis import Counters
from app.web import describe
from app.web.origin import SAFE
from tests.web.conftest import Web
from tests.web.furniture import furnish, headers
from tests.web.trial import Trial, plain

pytestmark = pytest.mark.db
FOREIGN = ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"})
# What writes itself down, what never ends, and what is down in a test.
NOT_TRIED = ("export", "csv", "attachments", "/events", "health", "/mail/")
SMUGGLED: dict[str, Any] = {
    "role_": "admin", "is_admin": True, "org_id": 1, "organization": 1, "created_at": "2026-01-01T00:00:00Z", "sla_due": 1,
    "bcc": "mallory@evil.example", "smtp_host": "evil.example", "password_hash": "x", "verified": True, "id": 1, "revision": 9,
}  # fmt: skip


@pytest.fixture
def trial(web: Web, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(Counters, "add", lambda *_, **__: 1)
    return Trial(web, furnish(web))


def head(web: Web) -> int:
    with web.desk.db.reading() as c:
        return c.execute(select(Head.seq)).scalar_one()


def test_what_another_site_makes_a_browser_send_changes_nothing(web: Web, trial: Trial) -> None:
    real = web.program()
    for route in describe.routes(web.app):
        for method in set(route.methods or ()) - SAFE if describe.rules_of(route) else ():
            for foreign in FOREIGN:
                sent = headers(trial.found, "admin", page=True) | foreign
                before, given = head(web), trial.brought(method, plain(route), "admin")
                answer = real.request(method, trial.url(method, plain(route)), headers=sent, **given)
                assert (answer.status_code, head(web)) == (403, before), (method, route.path, foreign)


def test_a_form_of_another_site_that_calls_itself_text_is_no_json(web: Web, trial: Trial) -> None:
    real = web.program()
    sent = headers(trial.found, "admin", page=False) | {"Content-Type": "text/plain"}
    for route in describe.routes(web.app):
        for method in set(route.methods or ()) - SAFE:
            kind, body = trial.body(method, plain(route))
            if kind == "application/json":
                answer = real.request(method, trial.url(method, plain(route)), headers=sent, content=json.dumps(body))
                assert answer.status_code == 422, (method, route.path)


def test_a_method_in_a_header_is_not_believed(web: Web, trial: Trial) -> None:
    real = web.program()
    sent = headers(trial.found, "admin", page=False) | {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE"}
    before = head(web)
    for route in describe.routes(web.app):
        if "GET" in (route.methods or ()) and not any(word in route.path for word in NOT_TRIED):
            assert real.get(trial.url("GET", plain(route)), headers=sent).status_code < 500
    assert head(web) == before


def test_no_body_smuggles_a_field_in(web: Web, trial: Trial) -> None:
    real = web.program()
    before, tried = head(web), 0
    for route in describe.routes(web.app):
        for method in set(route.methods or ()) - SAFE:
            kind, body = trial.body(method, plain(route))
            if kind != "application/json":
                continue
            for name, value in SMUGGLED.items():
                sent = headers(trial.found, "admin", page=False)
                url = trial.url(method, plain(route))
                answer = real.request(method, url, headers=sent, json=body | {name: value})
                assert (answer.status_code, answer.json()["type"]) == (422, "urn:atum-desk:problem:invalid"), (url, name)
                tried += 1
    assert tried > 300
    assert head(web) == before
