"""Macros: several steps by one request, all of them or none."""

from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import select

from app.accounts.models import Person
from app.audit.models import Entry, Event
from app.db.session import now as database_now
from app.outbox.models import Kind, Letter
from app.tickets.models import Field
from app.tickets.rules import FieldKind, Required
from app.web.shapes import desk as shapes
from app.web.shapes import tickets as ticket_shapes
from tests.web.conftest import Web

PATH = "/api/v1/macros"


def add(web: Web, by: Person, steps: dict[str, Any], **more: Any) -> Response:
    return web.program(by).post(PATH, json={"title": "Waiting for logs", "steps": steps, **more})


def kept(web: Web, by: Person, steps: dict[str, Any], **more: Any) -> int:
    answer = add(web, by, steps, **more)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def run(web: Web, by: Person, number: int, id: int, **headers: str) -> Response:
    return web.program(by).post(f"/api/v1/tickets/{number}/macros/{id}", headers=headers)


def kinds(web: Web, number: int) -> list[str]:
    with web.desk.db.transaction() as s:
        return [e.kind.value for e in s.scalars(select(Entry).where(Entry.ticket == number).order_by(Entry.seq))]


def test_all_steps_are_done_in_one_go(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    steps = {
        "team_id": web.cast.billing.id,
        "assignee_id": "me",
        "priority": "high",
        "add_tags": ["Logs", "vpn"],
        "status": "accepted",
        "note": "{{agent.first_name}} asks {{requester.name}}.",
        "reply": "Hello {{requester.first_name}}, send the log of {{ticket.number}}.",
        "then": "waiting_customer",
        "snooze_minutes": 60,
    }
    answer = run(web, web.cast.erin, number, kept(web, web.cast.erin, steps))

    assert answer.status_code == 200, answer.text
    ticket = ticket_shapes.Ticket.model_validate(answer.json())
    assert (ticket.status, ticket.priority, ticket.tags) == ("waiting_customer", "high", ["logs", "vpn"])
    assert ticket.assignee
    assert ticket.assignee.name == "Erin"
    assert ticket.team
    assert ticket.team.name == "Billing"
    assert ticket.snoozed_until
    assert web.said(number)[1:] == [("Erin asks Carol.", True), (f"Hello Carol, send the log of {number}.", False)]
    assert "ticket.macro_applied" in kinds(web, number)
    with web.desk.db.transaction() as s:
        data = s.scalars(select(Entry).where(Entry.kind == Event.TICKET_MACRO_APPLIED)).one().data
        assert data["title"] == "Waiting for logs"
        assert s.scalars(select(Letter).where(Letter.kind == Kind.REPLY)).one().to_address == "carol@acme.example"


def test_a_step_that_cannot_be_done_undoes_all_and_is_named(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    steps = {"priority": "urgent", "add_tags": ["x"], "note": "Hush", "reply": "Hello", "then": "waiting_customer"}
    before = kinds(web, number)

    answer = run(web, web.cast.alice, number, kept(web, web.cast.alice, steps))

    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["step"]) == (409, "urn:atum-desk:problem:macro-refused", "reply")
    assert problem["reason"] == "not-accepted"
    assert "Waiting for logs" in problem["detail"]
    assert "Accept it first" in problem["detail"]
    assert kinds(web, number) == before
    assert len(web.said(number)) == 1
    with web.desk.db.transaction() as s:
        ticket = web._found(s, number)
        assert (ticket.priority, ticket.tags, ticket.revision) == ("medium", [], len(before))


def test_what_became_of_a_step_since_is_told(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    to_erin = kept(web, web.cast.alice, {"assignee_id": web.cast.erin.id})
    snoozed = kept(web, web.cast.alice, {"status": "resolved", "snooze_minutes": 5})
    with web.desk.db.transaction() as s:
        s.merge(web.cast.erin).disabled_at = database_now(s)

    refused = run(web, web.cast.alice, number, to_erin)
    assert (refused.status_code, refused.json()["step"]) == (422, "assignee_id")
    assert "Erin" in refused.json()["detail"]
    assert run(web, web.cast.alice, number, snoozed).json()["step"] == "snooze_minutes"
    assert web.status(number) == "accepted"


def test_what_is_filled_in_is_not_looked_at_again(web: Web) -> None:
    number = web.ticket(web.cast.carol, subject="{{agent.email}} {{7*7}}", accepted=True)
    run(web, web.cast.alice, number, kept(web, web.cast.alice, {"reply": "About {{ticket.subject}}"}))

    assert web.said(number)[-1] == ("About {{agent.email}} {{7*7}}", False)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({}, "nothing"),
        ({"add_tags": []}, "nothing"),
        ({"then": "resolved"}, "reply"),
        ({"reply": "{{7*7}}"}, "7*7"),
        ({"note": "{{''.__class__}}"}, "__class__"),
        ({"reply": "\u202e "}, "nothing in the reply"),
        ({"team_id": 99}, "no team 99"),
        ({"assignee_id": 99}, "99"),
        ({"assignee_id": 3}, "3"),
        ({"fields": {"nope": 1}}, "nope"),
        ({"add_tags": ["two words"]}, "two words"),
        ({"status": "gone"}, ""),
        ({"subject": "x"}, ""),
        ({"bcc": "x@y.example"}, ""),
        ({"snooze_minutes": 0}, ""),
        ({"snooze_minutes": True}, ""),
        ({"snooze_minutes": 525_601}, ""),
        ({"assignee_id": "you"}, ""),
        ({"team_id": "1"}, ""),
    ],
)
def test_a_step_that_could_never_be_done_is_refused_when_it_is_saved(web: Web, steps: dict[str, Any], said: str) -> None:
    answer = add(web, web.cast.alice, steps)

    assert answer.status_code == 422, answer.text
    assert said in answer.text
    assert web.program(web.cast.alice).get(PATH).json()["items"] == []


def test_a_macro_can_take_away(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    run(web, web.cast.alice, number, kept(web, web.cast.alice, {"assignee_id": "me", "add_tags": ["a", "b"]}))
    id = kept(web, web.cast.alice, {"assignee_id": None, "team_id": None, "remove_tags": ["A"], "priority": None})

    told = run(web, web.cast.alice, number, id).json()

    assert web.program(web.cast.alice).get(f"{PATH}/{id}").json()["steps"] == {
        "assignee_id": None,
        "team_id": None,
        "remove_tags": ["a"],
    }
    assert (told["assignee"], told["tags"]) == (None, ["b"])


def test_a_macro_of_others_is_not_there(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    mine = kept(web, web.cast.alice, {"priority": "high"})
    all_s = kept(web, web.cast.bob, {"priority": "low"}, shared_with="all")

    assert run(web, web.cast.bob, number, mine).status_code == 404
    assert web.program(web.cast.root).get(f"{PATH}/{mine}").status_code == 404
    assert web.program(web.cast.alice).patch(f"{PATH}/{all_s}", json={"title": "x"}).status_code == 403
    assert web.program(web.cast.alice).delete(f"{PATH}/{all_s}").status_code == 403
    assert add(web, web.cast.alice, {"priority": "low"}, shared_with="all").status_code == 403
    assert run(web, web.cast.alice, number, all_s).status_code == 200
    assert run(web, web.cast.alice, number, 999).status_code == 404


def test_customers_and_other_teams_apply_nothing(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    id = kept(web, web.cast.bob, {"team_id": None, "priority": "low"}, shared_with="all")
    with web.desk.db.transaction() as s:
        web._found(s, number).team_id = web.cast.billing.id

    assert run(web, web.cast.carol, number, id).status_code == 403
    assert run(web, web.cast.mallory, number, id).status_code == 404
    assert run(web, web.cast.alice, number, id).status_code == 404
    for customer in (web.cast.carol, web.cast.mallory):
        assert web.program(customer).get(PATH).status_code == 403
        assert web.program(customer).get(f"{PATH}/{id}").status_code == 403
        assert add(web, customer, {"priority": "low"}).status_code == 403


def test_races_are_told_for_macros_and_for_their_tickets(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    made = add(web, web.cast.alice, {"priority": "high"})
    path, program = made.headers["location"], web.program(web.cast.alice)

    changed = program.patch(path, json={"steps": {"add_tags": ["late"]}}, headers={"If-Match": made.headers["etag"]})
    assert (changed.json()["steps"], changed.headers["etag"]) == ({"add_tags": ["late"]}, '"2"')
    shapes.Macro.model_validate(changed.json())
    assert program.delete(path, headers={"If-Match": '"1"'}).status_code == 412
    assert run(web, web.cast.alice, number, made.json()["id"], **{"If-Match": '"1"'}).status_code == 412
    assert program.delete(path, headers={"If-Match": '"2"'}).status_code == 204

    with web.desk.db.transaction() as s:
        found = s.scalars(select(Entry).where(Entry.kind == Event.MACRO_CHANGED).order_by(Entry.seq))
        assert [e.data["what"] for e in found] == ["added", "changed", "removed"]


def test_the_same_key_applies_it_once(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    id = kept(web, web.cast.alice, {"reply": "Once."})
    key = {"Idempotency-Key": "k1"}

    first, again = run(web, web.cast.alice, number, id, **key), run(web, web.cast.alice, number, id, **key)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert [said for said in web.said(number) if said[0] == "Once."] == [("Once.", False)]


def test_a_list_of_macros_goes_on_and_matches_its_shape(web: Web) -> None:
    for title in ("b", "A", "c"):
        kept(web, web.cast.alice, {"priority": "low"}, title=title)
    program = web.program(web.cast.alice)
    first = program.get(PATH, params={"limit": 2}).json()
    rest = program.get(PATH, params={"limit": 2, "cursor": first["next"]}).json()

    shapes.Macros.model_validate(first)
    assert [each["title"] for each in first["items"] + rest["items"]] == ["A", "b", "c"]
    assert rest["next"] is None
    assert [each["title"] for each in program.get(PATH, params={"q": "B"}).json()["items"]] == ["b"]


def test_a_token_for_the_desk_alone_applies_no_macro(web: Web) -> None:
    areas = {route.path: getattr(route, "area", None) for route in web.routes()}

    assert areas["/api/v1/tickets/{number}/macros/{id}"] == "tickets"
    assert areas["/api/v1/macros"] == areas["/api/v1/macros/{id}"] == "desk"


def test_what_a_macro_puts_in_a_field_has_to_fit(web: Web) -> None:
    with web.desk.db.transaction() as s:
        now = database_now(s)
        field = Field(key="floor", label="Floor", kind=FieldKind.NUMBER, required=Required.NEVER, created_at=now)
        field.shown_to_customers, field.position = False, 1
        s.add(field)
    number = web.ticket(web.cast.carol, accepted=True)

    for strange in ({"floor": "third"}, {"fl\0or": 1}, {"floor": {"a": 1}}, {"\u202efloor": 1}):
        assert add(web, web.cast.alice, {"fields": strange}).status_code == 422
    for raw in (rb'{"\ud800": 1}', rb'{"floor": "\ud800\u0000"}'):
        body = b'{"title": "x", "steps": {"fields": ' + raw + b"}}"
        assert (
            web.program(web.cast.alice).post(PATH, content=body, headers={"Content-Type": "application/json"}).status_code == 422
        )
    told = run(web, web.cast.alice, number, kept(web, web.cast.alice, {"fields": {"floor": 3}})).json()
    assert told["fields"] == {"floor": 3}
    assert run(web, web.cast.alice, number, kept(web, web.cast.alice, {"fields": {"floor": None}})).json()["fields"] == {}
