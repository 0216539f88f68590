"""What is done to a ticket by the API: by whom, in which order, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.accounts.rules import Part
from app.web.shapes.tickets import Ticket
from tests.web.tickets.conftest import Desk

SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()
WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "", {"priority": "high"}),
    ("POST", "/acceptance", None),
    ("POST", "/assignment", {"assignee_id": None}),
    ("POST", "/status", {"status": "accepted"}),
    ("POST", "/trash", {"reason": "Spam"}),
    ("DELETE", "/trash", None),
    ("POST", "/snooze", {"until": SOON}),
    ("DELETE", "/snooze", None),
    ("POST", "/follow-ups", {"body": "And now?"}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_only_those_who_work_on_it_change_it(at: Desk, method: str, path: str, body: Any) -> None:
    number = at.web.ticket(at.carol)
    at.give(number, at.billing)
    at.joins(at.erin, at.billing, Part.READER)
    before = at.told(number)
    asked = {
        who: at.ask(person, method, f"/tickets/{number}{path}", body).status_code
        for who, person in {
            "nobody": None,
            "carol": at.carol,
            "dave": at.dave,
            "frank": at.frank,
            "mallory": at.mallory,
            "alice": at.alice,
            "erin, who only reads": at.erin,
        }.items()
    }
    assert asked == {
        "nobody": 401,
        "carol": 403,
        "dave": 403,
        "frank": 404,
        "mallory": 404,
        "alice": 404,
        "erin, who only reads": 403,
    }
    assert at.told(number) == before


def test_everything_is_changed_in_one_request_which_answers_as_reading_does(at: Desk) -> None:
    at.done(at.bob, "POST", "/custom-fields", {"key": "contract", "label": "Contract", "kind": "text"})
    number = at.web.ticket(at.carol)
    whole = {
        "subject": " Printer on fire ",
        "status": "accepted",
        "priority": "urgent",
        "team_id": at.billing.id,
        "assignee_id": at.erin.id,
        "add_tags": ["Fire", "printer"],
        "fields": {"contract": "A-17"},
        "snoozed_until": SOON,
    }
    answer = at.ask(at.bob, "PATCH", f"/tickets/{number}", whole)
    told = answer.json()
    Ticket.model_validate(told)
    assert answer.headers["etag"] == f'"{told["revision"]}"'
    assert (told["subject"], told["status"], told["priority"]) == ("Printer on fire", "accepted", "urgent")
    assert told["team"] == {"id": at.billing.id, "name": "Billing"}
    assert told["assignee"] == {"id": at.erin.id, "name": "Erin", "email": "erin@desk.example"}
    assert (told["tags"], told["fields"]) == (["fire", "printer"], {"contract": "A-17"})
    read = at.ask(at.bob, "GET", f"/tickets/{number}")
    assert read.headers["etag"] == answer.headers["etag"]
    assert {**read.json(), **dict.fromkeys(TIMES)} == {**told, **dict.fromkeys(TIMES)}
    assert all(moment(read.json()[name]) == moment(told[name]) for name in TIMES)
    assert at.events(number)[1:] == [
        "ticket.team_changed",
        "ticket.assigned",
        "ticket.subject_changed",
        "ticket.priority_changed",
        "ticket.tagged",
        "ticket.fields_changed",
        "ticket.accepted",
        "ticket.snoozed",
    ]


TIMES = ["created_at", "updated_at", "accepted_at", "first_replied_at", "resolved_at", "closed_at", "snoozed_until"]


def moment(raw: str | None) -> datetime | None:
    return None if raw is None else datetime.fromisoformat(raw)


def test_one_refusal_undoes_all_of_it(at: Desk) -> None:
    number = at.web.ticket(at.carol)
    before = at.told(number)
    answer = at.ask(at.alice, "PATCH", f"/tickets/{number}", {"subject": "x", "add_tags": ["y"], "status": "closed"})
    assert (answer.status_code, answer.json()["allowed"]) == (409, ["accepted", "cancelled"])
    assert at.told(number) == before
    assert at.events(number) == ["ticket.opened"]
    assert at.done(at.alice, "GET", "/tags")["items"] == []


EVIL: list[tuple[str, str, Any]] = [
    *(
        ("PATCH", "", {name: value})
        for name, value in {
            "number": 1, "revision": 1, "requester_id": 1, "organization_id": 1, "created_at": SOON, "channel": "mail",
            "merged_into": 1, "follows": 1, "trashed_at": SOON, "tags": ["a"], "first_replied_at": SOON, "conversation": 1,
            "role": "admin", "bcc": "evil@evil.example", "sla_policy_id": 1, "team": {"id": 1},
        }.items()
    ),
    ("PATCH", "", {"subject": ""}),
    ("PATCH", "", {"subject": None}),
    ("PATCH", "", {"subject": "\u202e\u2028"}),
    ("PATCH", "", {"subject": "x" * 501}),
    ("PATCH", "", {"status": None}),
    ("PATCH", "", {"priority": None}),
    ("PATCH", "", {"team_id": 999_999}),
    ("PATCH", "", {"team_id": "1"}),
    ("PATCH", "", {"team_id": True}),
    ("PATCH", "", {"team_id": 2**63}),
    ("PATCH", "", {"assignee_id": 0}),
    ("PATCH", "", {"assignee_id": [1]}),
    ("PATCH", "", {"add_tags": "vpn"}),
    ("PATCH", "", {"add_tags": ["two words"]}),
    ("PATCH", "", {"add_tags": ["a\u0000"]}),
    ("PATCH", "", {"add_tags": [f"t{n}" for n in range(21)]}),
    ("PATCH", "", {"fields": {"unknown": 1}}),
    ("PATCH", "", {"fields": ["unknown"]}),
    ("PATCH", "", {"snoozed_until": "2020-01-01T00:00:00Z"}),
    ("PATCH", "", {"snoozed_until": "2999-01-01T00:00:00Z"}),
    ("PATCH", "", {"snoozed_until": "2027-01-01T00:00:00"}),
    ("PATCH", "", {"snoozed_until": 4_000_000_000}),
    ("PATCH", "", []),
    ("POST", "/assignment", {}),
    ("POST", "/assignment", {"assignee_id": 1, "role": "admin"}),
    ("POST", "/status", {"status": "accepted", "accepted_at": SOON}),
    ("POST", "/trash", {"reason": ""}),
    ("POST", "/trash", {"reason": " \u202e "}),
    ("POST", "/trash", {}),
    ("POST", "/trash", {"reason": "x", "trashed_by_id": 1}),
    ("POST", "/snooze", {"until": "2020-01-01T00:00:00Z"}),
    ("POST", "/snooze", {"until": None}),
    ("POST", "/follow-ups", {"body": "x", "requester": "evil@evil.example"}),
    ("POST", "/follow-ups", {"body": "x", "follows": 1}),
    ("POST", "/follow-ups", {"body": "  "}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), EVIL)
def test_what_is_unknown_or_senseless_is_refused_and_changes_nothing(at: Desk, method: str, path: str, body: Any) -> None:
    number = at.web.ticket(at.carol)
    before = at.told(number)
    answer = at.ask(at.alice, method, f"/tickets/{number}{path}", body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert at.told(number) == before


def test_ids_of_other_things_are_nobody(at: Desk) -> None:
    number = at.web.ticket(at.carol)
    at.give(number, at.billing)
    for person in (at.carol, at.mallory, at.alice):
        answer = at.ask(at.bob, "PATCH", f"/tickets/{number}", {"assignee_id": person.id})
        assert (answer.status_code, at.told(number)["assignee"]) == (422, None)


def test_a_change_that_came_too_late_is_told_what_happened(at: Desk) -> None:
    number = at.web.ticket(at.carol)
    tag = at.ask(at.alice, "GET", f"/tickets/{number}").headers["etag"]
    at.done(at.bob, "PATCH", f"/tickets/{number}", {"add_tags": ["vpn"]}, **{"If-Match": tag})
    late = at.ask(at.alice, "PATCH", f"/tickets/{number}", {"subject": "Mine"}, **{"If-Match": tag})
    assert (late.status_code, [c["kind"] for c in late.json()["changes"]]) == (412, ["ticket.tagged"])
    assert at.told(number)["subject"] == "Printer"


def test_a_customer_learns_nothing_from_a_revision(at: Desk) -> None:
    number = at.web.ticket(at.carol, accepted=True)
    at.web.note(number, "A difficult customer.")
    answer = at.ask(at.carol, "POST", f"/tickets/{number}/messages", {"body": "Hello?"}, **{"If-Match": '"0"'})
    assert answer.status_code == 201
    told = at.ask(at.carol, "GET", f"/tickets/{number}")
    assert told.json()["revision"] is None
    assert "etag" not in told.headers


def test_customers_see_no_tags_and_only_the_fields_that_are_shown_to_them(at: Desk) -> None:
    at.done(at.bob, "POST", "/custom-fields", {"key": "contract", "label": "x", "kind": "text", "shown_to_customers": True})
    at.done(at.bob, "POST", "/custom-fields", {"key": "mood", "label": "x", "kind": "text"})
    number = at.web.ticket(at.carol)
    at.done(
        at.alice,
        "PATCH",
        f"/tickets/{number}",
        {"add_tags": ["difficult"], "fields": {"contract": "A", "mood": "angry"}, "snoozed_until": SOON},
    )
    for person in (at.carol, at.dave):
        told = at.done(person, "GET", f"/tickets/{number}")
        assert (told["tags"], told["fields"], told["snoozed_until"]) == ([], {"contract": "A"}, None)
    assert at.ask(at.frank, "GET", f"/tickets/{number}").status_code == 404
    assert at.ask(at.mallory, "GET", f"/tickets/{number}").status_code == 404
    mine = at.done(at.carol, "POST", "/tickets", {"subject": "x", "body": "x"})
    Ticket.model_validate(mine)
    assert (mine["tags"], mine["revision"]) == ([], None)


def test_what_lacks_a_field_is_not_accepted_and_told_which(at: Desk) -> None:
    at.done(at.bob, "POST", "/custom-fields", {"key": "contract", "label": "Contract", "kind": "text", "required": "to_accept"})
    number = at.web.ticket(at.carol)
    answer = at.ask(at.alice, "POST", f"/tickets/{number}/acceptance")
    assert (answer.status_code, answer.json()["fields"]) == (409, ["contract"])
    assert answer.json()["type"] == "urn:atum-desk:problem:field-missing"
    told = at.done(at.alice, "PATCH", f"/tickets/{number}", {"status": "accepted", "fields": {"contract": "A"}})
    assert told["status"] == "accepted"


def test_the_trash_is_out_of_everybodys_way_until_it_is_taken_back(at: Desk) -> None:
    number = at.web.ticket(at.carol)
    path = f"/tickets/{number}"
    told = at.done(at.alice, "POST", f"{path}/trash", {"reason": "Spam"})
    Ticket.model_validate(told)
    assert (told["trashed"]["by"], told["trashed"]["reason"]) == ("Alice", "Spam")
    assert at.ask(at.carol, "GET", path).status_code == 404
    assert at.ask(at.dave, "GET", path).status_code == 404
    assert at.ask(at.carol, "POST", f"{path}/messages", {"body": "Hello?"}).status_code == 404
    assert at.ask(at.alice, "GET", path).json()["trashed"]["reason"] == "Spam"
    for method, rest, body in WRITES:
        if (method, rest) != ("DELETE", "/trash"):
            answer = at.ask(at.alice, method, path + rest, body)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:atum-desk:problem:in-trash")
    assert at.done(at.bob, "DELETE", f"{path}/trash")["trashed"] is None
    assert at.ask(at.bob, "DELETE", f"{path}/trash").status_code == 409
    assert at.ask(at.carol, "GET", path).status_code == 200


def test_a_ticket_sleeps_and_is_woken(at: Desk) -> None:
    number = at.web.ticket(at.carol)
    told = at.done(at.alice, "POST", f"/tickets/{number}/snooze", {"until": SOON})
    assert moment(told["snoozed_until"]) == moment(SOON)
    assert at.done(at.alice, "DELETE", f"/tickets/{number}/snooze")["snoozed_until"] is None
    assert at.events(number)[-2:] == ["ticket.snoozed", "ticket.awoken"]


def test_a_follow_up_is_a_new_ticket_of_the_same_requester(at: Desk) -> None:
    number = at.web.ticket(at.carol, accepted=True)
    answer = at.ask(at.alice, "POST", f"/tickets/{number}/follow-ups", {"body": "The part came."})
    fresh = answer.json()
    assert (fresh["follows"], fresh["requester"]["name"], fresh["subject"]) == (number, "Carol", "Printer")
    assert answer.headers["location"] == f"/api/v1/tickets/{fresh['number']}"
    assert at.ask(at.mallory, "GET", f"/tickets/{fresh['number']}").status_code == 404
    assert at.web.said(fresh["number"]) == [("The part came.", False)]


def test_staff_say_whose_a_new_ticket_is_and_what_it_carries(at: Desk) -> None:
    at.done(at.bob, "POST", "/custom-fields", {"key": "invoice", "label": "x", "kind": "number", "team_id": at.billing.id})
    new = {"subject": "x", "body": "x", "requester": "carol@acme.example", "team_id": at.billing.id}
    new |= {"assignee_id": at.erin.id, "tags": ["refund"], "fields": {"invoice": 17}}
    told = at.done(at.bob, "POST", "/tickets", new)
    assert (told["team"]["name"], told["assignee"]["name"], told["tags"], told["fields"]) == (
        "Billing",
        "Erin",
        ["refund"],
        {"invoice": 17},
    )
    for carried in ({"team_id": at.billing.id}, {"tags": ["x"]}, {"fields": {"invoice": 1}}, {"assignee_id": at.erin.id}):
        assert at.ask(at.carol, "POST", "/tickets", {"subject": "x", "body": "x", **carried}).status_code == 403


def test_one_who_gives_a_ticket_away_does_not_see_it_any_more(at: Desk) -> None:
    number = at.web.ticket(at.carol)
    told = at.done(at.alice, "PATCH", f"/tickets/{number}", {"team_id": at.billing.id})
    assert told["allowed"] == []
    assert at.ask(at.alice, "GET", f"/tickets/{number}").status_code == 404


def test_of_two_who_read_the_same_and_save_at_once_one_wins(at: Desk) -> None:
    number = at.web.ticket(at.carol)
    tag = at.ask(at.alice, "GET", f"/tickets/{number}").headers["etag"]
    programs = [at.web.program(person) for person in (at.alice, at.bob) * 2]

    def save(n: int) -> int:
        body = {"subject": f"Version {n}"}
        return programs[n].patch(f"/api/v1/tickets/{number}", json=body, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(save, range(4))) == [200, 412, 412, 412]
    assert at.events(number) == ["ticket.opened", "ticket.subject_changed"]
