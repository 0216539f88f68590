"""Who follows a ticket, and who may say so."""

from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import func, select

from app.accounts.models import Person, Team
from app.audit.models import Entry, Event
from app.outbox.models import Kind, Letter
from app.tickets import watchers
from app.tickets.models import Watcher
from app.web.shapes import desk as shapes
from tests.web.conftest import Web


def at(number: int) -> str:
    return f"/api/v1/tickets/{number}/watchers"


def follow(web: Web, by: Person, number: int, **body: Any) -> Response:
    return web.program(by).post(at(number), json=body)


def listed(web: Web, by: Person, number: int) -> list[tuple[str, str, str | None]]:
    answer = web.program(by).get(at(number))
    assert answer.status_code == 200, answer.text
    shapes.Watchers.model_validate(answer.json())
    return [(each["kind"], each["email"], each["name"]) for each in answer.json()["items"]]


def rows(web: Web) -> int:
    with web.desk.db.transaction() as s:
        return len(s.scalars(select(Watcher)).all())


def to_other_team(web: Web, number: int) -> None:
    with web.desk.db.transaction() as s:
        other = Team(name="Other", created_at=web.cast.carol.created_at)
        s.add(other)
        s.flush()
        web._found(s, number).team_id = other.id


def test_a_customer_puts_somebody_in_copy_and_takes_them_out(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    made = follow(web, web.cast.carol, number, email="Boss@Acme.example")

    assert (made.status_code, made.json()["email"], made.json()["name"]) == (201, "boss@acme.example", None)
    shapes.Watcher.model_validate(made.json())
    assert listed(web, web.cast.carol, number) == [("cc", "boss@acme.example", None)]
    assert listed(web, web.cast.alice, number) == [("cc", "boss@acme.example", "boss")]

    gone = web.program(web.cast.carol).delete(at(number), params={"email": "boss@acme.example"})
    assert gone.status_code == 204
    assert listed(web, web.cast.carol, number) == []
    assert web.program(web.cast.carol).delete(at(number), params={"email": "boss@acme.example"}).status_code == 404
    with web.desk.db.transaction() as s:
        kinds = s.scalars(select(Entry.kind).where(Entry.ticket == number, Entry.kind.like("%watched"))).all()
        assert kinds == [Event.TICKET_WATCHED, Event.TICKET_UNWATCHED]


def test_being_in_copy_opens_no_door(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    for address in ("mallory@evil.example", "frank@acme.example", "erin@desk.example"):
        assert follow(web, web.cast.carol, number, email=address).status_code == 201
    to_other_team(web, number)

    for person in (web.cast.mallory, web.cast.frank, web.cast.erin):
        program, browser = web.program(person), web.browser(person)
        for path in ("", "/messages", "/watchers", "/sla", "/attachments", "/links", "/events", "/mentionable"):
            assert program.get(f"/api/v1/tickets/{number}{path}").status_code == 404, path
        assert program.post(f"/api/v1/tickets/{number}/messages", json={"body": "Hi"}).status_code == 404
        assert browser.get(f"/my/tickets/{number}").status_code in {403, 404}
        assert str(number) not in [
            str(each.get("number")) for each in program.get("/api/v1/search?q=Printer").json().get("items", [])
        ]


def test_only_who_may_answer_says_who_is_in_copy(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    follow(web, web.cast.carol, number, email="boss@acme.example")
    to_other_team(web, number)

    for stranger in (web.cast.mallory, web.cast.frank, web.cast.erin, web.cast.alice):
        assert follow(web, stranger, number, email="spy@evil.example").status_code == 404
        assert web.program(stranger).delete(at(number), params={"email": "boss@acme.example"}).status_code == 404
        assert web.program(stranger).get(at(number)).status_code == 404
    assert rows(web) == 1
    assert follow(web, web.cast.dave, number, email="other@acme.example").status_code == 201
    assert follow(web, web.cast.bob, number, email="third@acme.example").status_code == 201


def test_customers_learn_nothing_of_staff_who_follow(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    assert follow(web, web.cast.alice, number, kind="agent").json()["email"] == "alice@desk.example"
    assert follow(web, web.cast.alice, number, kind="agent", email="bob@desk.example").status_code == 201

    assert listed(web, web.cast.carol, number) == []
    assert follow(web, web.cast.carol, number, kind="agent").status_code == 403
    gone = web.program(web.cast.carol).delete(at(number), params={"email": "alice@desk.example", "kind": "agent"})
    assert gone.status_code == 403
    assert follow(web, web.cast.carol, number, email="alice@desk.example").json() == {
        "kind": "cc",
        "email": "alice@desk.example",
        "name": None,
        "added_at": follow(web, web.cast.carol, number, email="alice@desk.example").json()["added_at"],
    }
    assert len(listed(web, web.cast.alice, number)) == 3


def test_whether_an_address_is_known_cannot_be_told_from_the_answer(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    known = follow(web, web.cast.carol, number, email="mallory@evil.example").json()
    unknown = follow(web, web.cast.carol, number, email="nobody@evil.example").json()

    assert known.keys() == unknown.keys()
    assert (known["name"], unknown["name"]) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": None},
        {"email": "no address"},
        {"email": "a@b.example\r\nBcc: c@d.example"},
        {"email": "desk@localhost"},
        {"email": "carol@acme.example"},
        {"email": "x@y.example", "kind": "bcc"},
        {"email": "x@y.example", "person_id": 1},
        {"email": ["x@y.example"]},
        {"email": "x@" + "y" * 260},
    ],
)
def test_what_cannot_be_in_copy_is_refused(web: Web, body: dict[str, Any]) -> None:
    number = web.ticket(web.cast.carol)

    assert follow(web, web.cast.carol, number, **body).status_code == 422
    assert rows(web) == 0


def test_a_save_that_lost_the_race_is_told_what_changed(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    follow(web, web.cast.alice, number, email="boss@acme.example")
    late = web.program(web.cast.alice).post(at(number), json={"email": "two@acme.example"}, headers={"If-Match": '"1"'})

    assert late.status_code == 412
    assert late.json()["changes"][0]["kind"] == "ticket.watched"


def test_mentions_are_told_where_a_note_is_sent_and_reach_who_may_see_it(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    files = {"files": ("a.txt", b"a")}
    data = {"text": "@bob @carol @nobody", "internal": "true"}
    answer = web.program(web.cast.alice).post(f"/api/v1/tickets/{number}/attachments", data=data, files=files)

    assert answer.json()["not_notified"] == ["carol", "nobody"]
    with web.desk.db.transaction() as s:
        assert [letter.to_address for letter in s.scalars(select(Letter).where(Letter.kind == Kind.NOTICE))] == [
            "bob@desk.example"
        ]


def test_who_can_be_mentioned_is_told_to_staff_alone(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    path = f"/api/v1/tickets/{number}/mentionable"

    def names(**query: Any) -> list[str]:
        answer = web.program(web.cast.alice).get(path, params=query)
        shapes.Mentionable.model_validate(answer.json())
        return [each["name"] for each in answer.json()["items"]]

    assert names() == ["Bob", "Erin", "Root"]
    assert names(q="E") == ["Erin"]
    assert names(q="%") == names(q="\0%") == names(q="_") == []
    assert web.program(web.cast.carol).get(path).status_code == 403
    assert web.program(web.cast.mallory).get(path).status_code == 404
    with web.desk.db.transaction() as s:
        web._found(s, number).team_id = web.cast.billing.id
    assert web.program(web.cast.alice).get(path).status_code == 404
    bob = web.program(web.cast.bob).get(path).json()["items"]
    assert [each["name"] for each in bob] == ["Erin", "Root"], "Alice is not in that team"


def test_lists_take_the_same_statements_however_many_follow(web: Web, statements: list[str]) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    program, counts = web.program(web.cast.alice), []
    for round in range(3):  # the first answer changes more than later ones
        for n in range(5):
            follow(web, web.cast.carol, number, email=f"p{round}{n}@acme.example")
        before = len(statements)
        program.get(at(number))
        program.get(f"/api/v1/tickets/{number}/mentionable")
        program.post(f"/api/v1/tickets/{number}/messages", json={"body": "Hello"})
        counts.append(len(statements) - before)

    assert counts[1] == counts[2]


def test_a_customer_puts_so_many_in_copy_within_an_hour_and_staff_as_many_as_they_need(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (web.ticket(web.cast.carol, accepted=True) for _ in range(2))
    monkeypatch.setattr(watchers, "COPIES_AN_HOUR", 3)

    def people() -> int:
        with web.desk.db.transaction() as s:
            return s.scalar(select(func.count()).select_from(Person)) or 0

    for n, number in enumerate((first, first, second)):
        assert follow(web, web.cast.carol, number, email=f"{n}@acme.example").status_code == 201
    before = people()
    refused = follow(web, web.cast.carol, second, email="more@acme.example")
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:atum-desk:problem:too-many")
    assert "in copy within an hour" in refused.json()["detail"]
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert people() == before
    assert follow(web, web.cast.dave, second, email="more@acme.example").status_code == 201
    for n in range(5):
        assert follow(web, web.cast.alice, second, email=f"of-staff-{n}@acme.example").status_code == 201
    monkeypatch.setattr(watchers, "HOUR", timedelta(0))  # an hour later
    assert follow(web, web.cast.carol, second, email="later@acme.example").status_code == 201
