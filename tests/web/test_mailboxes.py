"""Mailboxes through the API: administrators alone, tried before they are saved, and nothing secret ever told."""

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.audit.models import Entry
from app.core import clock
from app.db.locks import Keeper
from app.intake import grants, wire
from app.intake.models import Grant, Mailbox
from app.intake.rules import hosts
from app.intake.rules import oauth as rules
from app.intake.rules.states import MailboxState
from app.web.api import mailboxes
from tests.appliance import certificates
from tests.mail.imap_server import PASSWORD, Server, running
from tests.mail.token_server import Tokens, providing
from tests.web.conftest import Web

pytestmark = pytest.mark.db
BOXES = "/api/v1/mailboxes"
SALES = "sales@desk.example"


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this machine were another one of the network."""
    monkeypatch.setattr(hosts, "leads_back", lambda _: False)


@pytest.fixture
def peer(near: None) -> Iterator[Server]:
    with running(Server(user=SALES)) as made:
        yield made


@pytest.fixture
def root(web: Web) -> TestClient:
    return web.program(web.cast.root)


def new(peer: Server, **different: Any) -> dict[str, Any]:
    plain = {"address": SALES, "host": "127.0.0.1", "port": peer.port, "tls": False, "password": PASSWORD}
    return plain | different


def made(root: TestClient, peer: Server, **different: Any) -> dict[str, Any]:
    answer = root.post(BOXES, json=new(peer, **different))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_one_is_added_when_it_was_tried_and_told_without_its_password(web: Web, root: TestClient, peer: Server) -> None:
    answer = root.post(BOXES, json=new(peer, team_id=web.cast.billing.id, priority="high", processed_folder="Done"))
    told = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{BOXES}/{told['id']}")
    assert (told["team"]["name"], told["priority"], told["processed_folder"]) == ("Billing", "high", "Done")
    assert (told["state"], told["signs_in_by"], told["server"]["folder"]) == ("ok", "password", "INBOX")
    assert peer.logins == 1
    assert root.get(f"{BOXES}/{told['id']}").json() == told
    assert root.get(BOXES).json()["items"] == [told]
    assert PASSWORD not in root.get(BOXES).text + answer.text
    with web.desk.db.transaction() as s:
        last = s.scalars(select(Entry).order_by(Entry.seq.desc())).first()
        assert last is not None
        assert (last.kind.value, last.actor) == ("mailbox.changed", "Root")
        assert PASSWORD not in str(last.data)


def test_a_refusal_is_told_in_the_servers_words_and_nothing_is_saved(root: TestClient, peer: Server) -> None:
    answer = root.post(BOXES, json=new(peer, password="wrong"))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:atum-desk:problem:mailbox-refused")
    assert "[AUTHENTICATIONFAILED] Wrong password." in answer.json()["detail"]
    assert root.get(BOXES).json()["items"] == []
    assert made(root, peer, password="wrong", untested=True)["state"] == "ok"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "169.254.169.254", "::ffff:127.0.0.1", "2130706433", "0x7f.1"]
)
def test_nobody_far_away_has_the_desk_look_into_itself(
    web: Web, root: TestClient, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    reached: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: reached.append(address))
    answer = root.post(BOXES, json={"address": SALES, "host": host, "password": "x"})
    assert answer.status_code == 422
    assert "this machine itself" in answer.json()["detail"] or "does not answer" in answer.json()["detail"]
    assert reached == []


def test_that_holds_for_the_poller_and_for_a_name_that_leads_elsewhere_later(web: Web, root: TestClient) -> None:
    box = root.post(BOXES, json={"address": SALES, "host": "localhost", "password": "x", "untested": True}).json()
    tried = root.post(f"{BOXES}/{box['id']}/test").json()
    assert (tried["works"], "this machine itself" in tried["reason"]) == (False, True)
    with web.desk.db.transaction() as s:
        keeper = Keeper(web.desk.db.dsn, name="test")
        account = grants.account(web.desk.db, keeper, s.get_one(Mailbox, box["id"]), web.desk.settings)
    assert account.anywhere is False


def test_it_is_tried_again_when_somebody_asks(root: TestClient, peer: Server) -> None:
    box = made(root, peer)
    peer.add(b"Subject: x\r\n\r\n")
    assert root.post(f"{BOXES}/{box['id']}/test").json() == {"works": True, "unread": 1, "reason": None}
    peer.password = "another"
    answer = root.post(f"{BOXES}/{box['id']}/test").json()
    assert (answer["works"], answer["unread"]) == (False, None)
    assert answer["reason"].endswith("[AUTHENTICATIONFAILED] Wrong password.")


def test_a_try_that_works_ends_the_wait(web: Web, root: TestClient, peer: Server) -> None:
    box = made(root, peer)
    with web.desk.db.transaction() as s:
        kept = s.get_one(Mailbox, box["id"])
        kept.state, kept.failures, kept.next_try_at = MailboxState.BLOCKED, 6, clock.now() + timedelta(hours=6)
    peer.password = "another"
    root.post(f"{BOXES}/{box['id']}/test")
    assert root.get(f"{BOXES}/{box['id']}").json()["next_try_at"] is not None
    peer.password = PASSWORD
    root.post(f"{BOXES}/{box['id']}/test")
    assert root.get(f"{BOXES}/{box['id']}").json()["next_try_at"] is None


def test_a_server_that_says_nothing_keeps_nobody_longer_than_it_may(
    root: TestClient, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = made(root, peer)
    monkeypatch.setattr(mailboxes, "LONGEST", 0.3)
    monkeypatch.setattr(mailboxes, "_AT_ONCE", threading.BoundedSemaphore(2))
    monkeypatch.setattr(wire, "PATIENCE", 5.0)
    peer.mute = True
    told = [root.post(f"{BOXES}/{box['id']}/test").json()["reason"] for _ in range(3)]
    assert told[:2] == ["no answer within 0 seconds"] * 2
    assert told[2].startswith("other mailboxes are being tried")


def test_it_is_changed_by_whoever_saw_it_last(root: TestClient, peer: Server) -> None:
    box = made(root, peer)
    tag = root.get(f"{BOXES}/{box['id']}").headers["ETag"]
    changed = root.patch(
        f"{BOXES}/{box['id']}",
        json={
            "priority": "low",
            "processed_folder": "Done",
            "trusts": ["mx.a.example"],
            "forwarders": ["lists.a.example"],
            "sender_from": "reply_to",
            "tells_too_large": True,
            "disowned": "flag",
        },
        headers={"If-Match": tag},
    )
    assert (changed.status_code, changed.json()["priority"], changed.json()["processed_folder"]) == (200, "low", "Done")
    assert (changed.json()["trusts"], changed.json()["forwarders"]) == (["mx.a.example"], ["lists.a.example"])
    assert (box["sender_from"], changed.json()["sender_from"]) == ("from", "reply_to")
    assert (box["disowned"], changed.json()["disowned"]) == ("quarantine", "flag")
    assert (box["tells_too_large"], changed.json()["tells_too_large"]) == (False, True)
    assert root.patch(f"{BOXES}/{box['id']}", json={"priority": "high"}, headers={"If-Match": tag}).status_code == 412
    cleared = root.patch(f"{BOXES}/{box['id']}", json={"processed_folder": None}).json()
    assert (cleared["processed_folder"], cleared["priority"], cleared["revision"]) == (None, "low", box["revision"] + 2)


def test_a_new_password_is_tried_first(root: TestClient, peer: Server) -> None:
    box = made(root, peer)
    refused = root.patch(f"{BOXES}/{box['id']}", json={"password": "wrong"})
    assert (refused.status_code, "Wrong password" in refused.json()["detail"]) == (422, True)
    peer.password = "another"
    assert root.patch(f"{BOXES}/{box['id']}", json={"password": "another"}).status_code == 200
    assert root.post(f"{BOXES}/{box['id']}/test").json()["works"]


def test_it_is_paused_resumed_and_removed(web: Web, root: TestClient, peer: Server) -> None:
    box = made(root, peer)
    at = f"{BOXES}/{box['id']}"
    assert root.post(f"{at}/pause").json()["state"] == "paused"
    assert root.delete(f"{at}/pause").json()["state"] == "ok"
    assert root.delete(at).status_code == 204
    assert root.get(at).status_code == root.post(f"{at}/test").status_code == root.delete(at).status_code == 404
    assert root.get(BOXES).json()["items"] == []


def test_the_same_request_twice_adds_one(root: TestClient, peer: Server) -> None:
    key = {"Idempotency-Key": "7d9c0c36-6a5e-4b7d-8f6a-0d2e61b1c001"}
    first, second = (root.post(BOXES, json=new(peer), headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert peer.logins == 1
    assert root.post(BOXES, json=new(peer)).status_code == 409


@pytest.mark.parametrize("who", ["bob", "alice", "carol", "mallory"])
def test_nobody_but_an_administrator_may(web: Web, peer: Server, root: TestClient, who: str) -> None:
    box = made(root, peer)
    program = web.program(getattr(web.cast, who))
    for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{box['id']}"), ("POST", f"/{box['id']}/test")):
        assert (
            program.request(method, BOXES + path, json=new(peer) if (method, path) == ("POST", "") else None).status_code == 403
        )
    assert peer.logins == 1


@pytest.mark.parametrize(
    "different",
    [
        {"password": None},
        {"folder": "a\r\nA1 DELETE INBOX"},
        {"username": "a\x00b"},
        {"password": "a\nb"},
        {"host": "a b"},
        {"host": "evil.example/x"},
        {"port": 0},
        {"address": "nobody"},
        {"team_id": 999},
        {"processed_folder": "inbox"},
        {"oauth": {"provider": "google", "client_id": "x"}},
        {"import_since": "2026-01-01T00:00:00"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(root: TestClient, peer: Server, different: dict[str, Any]) -> None:
    assert root.post(BOXES, json=new(peer, untested=True, **different)).status_code == 422
    assert root.get(BOXES).json()["items"] == []


def test_one_of_the_settings_is_changed_there(web: Web, root: TestClient, peer: Server) -> None:
    box = made(root, peer)
    with web.desk.db.transaction() as s:
        s.get_one(Mailbox, box["id"]).password = None
    assert root.get(f"{BOXES}/{box['id']}").json()["of_settings"]
    assert root.delete(f"{BOXES}/{box['id']}").status_code == 409
    assert root.patch(f"{BOXES}/{box['id']}", json={"password": "x", "untested": True}).status_code == 409


class TestOAuth:
    @pytest.fixture
    def context(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        certificate = certificates.make(tmp_path / "tls")[0]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(certificate, certificate.with_name("tls.key"))
        return made

    @pytest.fixture
    def cloud(self, context: ssl.SSLContext, near: None) -> Iterator[Server]:
        with running(Server(user=SALES, capabilities="IMAP4rev1 AUTH=XOAUTH2"), tls=context) as made:
            yield made

    @pytest.fixture
    def provider(self, context: ssl.SSLContext, cloud: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tokens]:
        with providing(context) as made:
            made.on_token = cloud.tokens.add
            monkeypatch.setattr(rules, "GOOGLE", replace(rules.GOOGLE, token_url=f"{made.url}/token"))
            yield made

    def test_a_refresh_token_is_tried_kept_and_never_told(
        self, web: Web, root: TestClient, cloud: Server, provider: Tokens
    ) -> None:
        google = {"provider": "google", "client_id": "desk-1", "client_secret": "hush", "refresh_token": "refresh-0"}
        body = {"address": SALES, "host": "localhost", "port": cloud.port, "oauth": google}
        answer = root.post(BOXES, json=body)
        assert (answer.status_code, answer.json()["signs_in_by"]) == (201, "google")
        assert root.post(f"{BOXES}/{answer.json()['id']}/test").json()["works"]
        assert provider.given == 1
        told = answer.text + root.get(BOXES).text
        assert not any(secret in told for secret in ("hush", "refresh-", "access-"))
        refused = root.patch(f"{BOXES}/{answer.json()['id']}", json={"oauth": google | {"refresh_token": "old"}})
        assert (refused.status_code, "invalid_grant" in refused.json()["detail"]) == (422, True)
        assert root.post(BOXES, json=body | {"tls": False, "folder": "Other", "untested": True}).status_code == 422
        root.delete(f"{BOXES}/{answer.json()['id']}")
        with web.desk.db.transaction() as s:
            assert s.scalars(select(Grant)).all() == []
