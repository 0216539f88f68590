"""Webhooks through the API: administrators alone, and what they sign by is told once."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app.audit.models import Entry
from app.db.session import now as database_now
from app.outbox import telling, webhook
from app.outbox.models import Webhook
from app.outbox.webhook import Teller
from tests.db.outbox.receiver import HERE, Receiver, listening
from tests.web.conftest import Web

pytestmark = pytest.mark.db
HOOKS = "/api/v1/webhooks"
NEW = {"url": "https://hooks.acme.example/in?key=in-the-address", "events": ["ticket.created", "desk.warning"]}


@pytest.fixture
def root(web: Web) -> TestClient:
    return web.program(web.cast.root)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(webhook, "is_near", lambda address: address == ip_address(HERE))
    with listening() as made:
        yield made


def made(root: TestClient, **different: Any) -> dict[str, Any]:
    answer = root.post(HOOKS, json=NEW | different)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def near(web: Web, id: int, receiver: Receiver) -> None:
    """As if it had been added from the shell, for a program on one's own network."""
    with web.desk.db.transaction() as s:
        s.execute(update(Webhook).where(Webhook.id == id).values(url=receiver.url, own_network=True))


def told(web: Web) -> None:
    """What the sender does."""
    with web.desk.db.transaction() as s:
        telling.follow(s, web.desk.settings.atum_url, now=database_now(s))
    teller = Teller(web.desk.db, web.desk.settings)
    for id in teller.due():
        while teller.tell(id):
            pass


def test_one_is_added_and_its_secret_told_once(web: Web, root: TestClient) -> None:
    answer = root.post(HOOKS, json=NEW)
    first = answer.json()
    secret = first.pop("secret")
    assert (answer.headers["Location"], answer.headers["Cache-Control"]) == (f"{HOOKS}/{first['id']}", "no-store")
    assert secret.startswith("whsec_")
    assert (first["state"], first["active"], first["own_network"], first["waiting"]) == ("ok", True, False, 0)
    assert first["created_by"] == {"id": web.cast.root.id, "name": "Root"}
    assert root.get(f"{HOOKS}/{first['id']}").json() == first
    assert root.get(HOOKS).json()["items"] == [first]
    with web.desk.db.transaction() as s:
        last = s.scalars(select(Entry).order_by(Entry.seq.desc())).first()
        assert last is not None
        assert (last.kind.value, last.actor, last.data["host"]) == ("webhook.changed", "Root", "hooks.acme.example")
        assert secret not in str(last.data)
        assert "in-the-address" not in str(last.data)


def test_the_same_request_twice_makes_one_and_shows_nothing_twice(root: TestClient) -> None:
    key = {"Idempotency-Key": "one"}
    assert root.post(HOOKS, json=NEW, headers=key).status_code == 201
    again = root.post(HOOKS, json=NEW, headers=key)
    assert again.json()["type"] == "urn:atum-desk:problem:shown-once"
    assert len(root.get(HOOKS).json()["items"]) == 1


def test_a_policys_step_names_one_and_what_can_not_be_told_is_refused_in_words(web: Web, root: TestClient) -> None:
    hook, other = made(root, events=["ticket.deadline"]), made(root)
    bob, at = web.program(web.cast.bob), "/api/v1/sla/policies"

    def named(id: int) -> dict[str, Any]:
        return {"steps": [{"metric": "resolution", "recipients": ["managers", f"webhook:{id}"], "repeat_minutes": 30, "most": 4}]}

    policy = bob.patch(f"{at}/1", json=named(hook["id"]))
    assert policy.status_code == 200, policy.text
    assert policy.json()["steps"][0]["recipients"] == ["managers", f"webhook:{hook['id']}"]
    drafted = {"policies": [named(99) | {"id": 1}]}
    for refused, words in (
        (bob.patch(f"{at}/1", json=named(99)), "Step 1: there is no webhook 99. List them at /api/v1/webhooks."),
        (bob.post(at, json=named(other["id"]) | {"name": "Gold"}), f"Step 1: webhook {other['id']} is not told of deadlines."),
        (bob.post("/api/v1/sla/preview", json=drafted), "Step 1: there is no webhook 99."),
    ):
        assert (refused.status_code, words in refused.text) == (422, True), refused.text
    assert bob.get(f"{at}/1").json() == policy.json()


@pytest.mark.parametrize(
    "different",
    [{"url": "http://hooks.acme.example/"}, {"url": "https://u:p@hooks.acme.example/"}, {"url": "https://hooks.acme.example:25/"},
     {"url": "x"}, {"events": []}, {"events": ["ticket.noted"]}, {"own_network": True}, {"secret": "mine"}],
)  # fmt: skip
def test_what_is_no_address_or_no_event_is_refused(root: TestClient, different: dict[str, Any]) -> None:
    assert root.post(HOOKS, json=NEW | different).status_code == 422
    assert root.get(HOOKS).json()["items"] == []


def test_a_change_that_lost_the_race_is_refused(root: TestClient) -> None:
    hook = made(root)
    at = f"{HOOKS}/{hook['id']}"
    first = root.patch(at, json={"events": ["desk.warning"]}, headers={"If-Match": '"1"'})
    assert (first.status_code, first.json()["events"], first.headers["ETag"]) == (200, ["desk.warning"], '"2"')
    for method, path in (("PATCH", at), ("DELETE", at), ("POST", f"{at}/secret")):
        body = {"active": False} if method == "PATCH" else None
        assert root.request(method, path, json=body, headers={"If-Match": '"1"'}).status_code == 412
    assert root.patch(at, json={"active": False}).json()["state"] == "off"
    assert root.post(f"{at}/test").status_code == 409
    assert root.patch(at, json={"active": True}).json()["state"] == "ok"
    assert root.delete(at).status_code == 204
    assert root.get(at).status_code == root.get(f"{at}/deliveries").status_code == 404


def test_a_new_secret_is_another_one(root: TestClient) -> None:
    hook = made(root)
    answer = root.post(f"{HOOKS}/{hook['id']}/secret")
    assert answer.json()["secret"] not in {hook["secret"], None}
    assert "secret" not in root.get(f"{HOOKS}/{hook['id']}").json()


def test_a_test_is_sent_at_once_and_what_came_of_it_can_be_read(web: Web, root: TestClient, receiver: Receiver) -> None:
    hook = made(root)
    near(web, hook["id"], receiver)
    at = f"{HOOKS}/{hook['id']}"
    asked = root.post(f"{at}/test")
    assert (asked.status_code, asked.json()["state"], asked.json()["type"]) == (202, "waiting", "webhook.test")
    told(web)
    [heard] = receiver.heard
    assert heard.signed_by(hook["secret"])
    assert (heard.told["type"], heard.told["id"]) == ("webhook.test", asked.json()["event_id"])
    [delivery] = root.get(f"{at}/deliveries").json()["items"]
    assert (delivery["id"], delivery["state"], delivery["status"]) == (asked.json()["id"], "delivered", 200)
    receiver.status = 500
    root.post(f"{at}/test")
    told(web)
    newest = root.get(f"{at}/deliveries?limit=1").json()
    assert [(each["state"], each["problem"]) for each in newest["items"]] == [("waiting", "it answers 500")]
    assert [each["id"] for each in root.get(f"{at}/deliveries?cursor={newest['next']}").json()["items"]] == [delivery["id"]]


def test_a_new_ticket_is_told_and_no_word_of_it(web: Web, root: TestClient, receiver: Receiver) -> None:
    hook = made(root, events=["ticket.created", "ticket.answered", "ticket.status_changed"])
    near(web, hook["id"], receiver)
    number = web.ticket(web.cast.carol, "A subject nobody is to see", "Words nobody is to see", accepted=True)
    web.note(number, "Between us")
    alice = web.program(web.cast.alice)
    assert alice.post(f"/api/v1/tickets/{number}/messages", json={"body": "An answer nobody is to see"}).is_success
    assert alice.post(f"/api/v1/tickets/{number}/status", json={"status": "in_progress"}).is_success
    told(web)
    assert receiver.types() == ["ticket.created", "ticket.status_changed", "ticket.answered", "ticket.status_changed"]
    assert {each["ticket"]["number"] for each in receiver.told} == {number}
    sent = b"".join(heard.body for heard in receiver.heard).decode()
    assert "nobody" not in sent
    assert "Carol" not in sent
    assert "@" not in sent
    shown = alice.get(receiver.told[0]["ticket"]["api_url"].replace(web.desk.settings.atum_url, "https://localhost"))
    assert shown.json()["number"] == number


@pytest.mark.parametrize("who", ["mallory", "carol", "dave", "alice", "erin", "bob"])
def test_nobody_but_an_administrator_sees_or_touches_any(web: Web, root: TestClient, who: str) -> None:
    hook = made(root)
    somebody, at = web.program(getattr(web.cast, who)), f"{HOOKS}/{hook['id']}"
    for method, path, body in (
        ("GET", HOOKS, None), ("POST", HOOKS, NEW), ("GET", at, None), ("PATCH", at, {"active": False}), ("DELETE", at, None),
        ("POST", f"{at}/secret", None), ("POST", f"{at}/test", None), ("GET", f"{at}/deliveries", None),
    ):  # fmt: skip
        answer = somebody.request(method, path, json=body)
        assert answer.status_code == 403, (method, path)
        assert "hooks.acme.example" not in answer.text
    assert root.get(at).json()["active"] is True
