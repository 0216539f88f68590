"""Canned replies: whose they are, what is in them, and what they become on a ticket."""

from typing import Any

import pytest
from httpx2 import Response

from app.accounts.models import Membership, Person, Team
from app.accounts.rules import Part
from app.audit.models import Entry, Event
from app.web.shapes import desk as shapes
from tests.web.conftest import Web

PATH = "/api/v1/canned-replies"


def add(web: Web, by: Person, **more: Any) -> Response:
    return web.program(by).post(PATH, json={"title": "Hello", "text": "Hello {{requester.first_name}}", **more})


def join(web: Web, person: Person, team: Team, part: Part) -> None:
    with web.desk.db.transaction() as s:
        s.merge(Membership(team_id=team.id, person_id=person.id, part=part, joined_at=person.created_at))


def titles(web: Web, by: Person, **query: Any) -> list[str]:
    answer = web.program(by).get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    shapes.CannedReplies.model_validate(answer.json())
    return [each["title"] for each in answer.json()["items"]]


def test_a_reply_of_my_own_is_mine_alone(web: Web) -> None:
    answer = add(web, web.cast.alice, shortcut="/Hi")
    path = answer.headers["location"]

    assert answer.status_code == 201
    assert shapes.CannedReply.model_validate(answer.json()).shortcut == "hi"
    assert answer.headers["etag"] == '"1"'
    assert titles(web, web.cast.alice) == ["Hello"]
    for other in (web.cast.erin, web.cast.bob, web.cast.root):
        assert titles(web, other) == []
        for call in (web.program(other).get, web.program(other).delete):
            assert call(path).status_code == 404
        assert web.program(other).patch(path, json={"title": "Mine now"}).status_code == 404
        assert web.program(other).get(f"{path}/text", params={"ticket": 1}).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_customers_have_no_canned_replies(web: Web, method: str) -> None:
    path = add(web, web.cast.bob, shared_with="all").headers["location"]
    for customer in (web.cast.carol, web.cast.dave, web.cast.mallory):
        at = PATH if method == "POST" else path
        json = {"title": "x", "text": "y"} if method in {"POST", "PATCH"} else None
        assert web.program(customer).request(method, at, json=json).status_code == 403
        assert web.program(customer).get(PATH).status_code == 403
        assert web.program(customer).get(f"{path}/text", params={"ticket": 1}).status_code == 403


def test_a_teams_reply_takes_a_lead_and_everybodys_a_manager(web: Web) -> None:
    billing = web.cast.billing
    team = {"shared_with": "team", "team_id": billing.id}
    for refused in (
        add(web, web.cast.erin, **team),
        add(web, web.cast.alice, **team),
        add(web, web.cast.erin, shared_with="all"),
    ):
        assert refused.status_code == 403

    join(web, web.cast.erin, billing, Part.LEAD)
    path = add(web, web.cast.erin, title="Team's", **team).headers["location"]
    add(web, web.cast.bob, title="All's", shared_with="all")

    assert titles(web, web.cast.erin) == ["All's", "Team's"]
    assert titles(web, web.cast.bob) == ["All's", "Team's"]
    assert titles(web, web.cast.alice) == ["All's"]
    assert web.program(web.cast.alice).get(path).status_code == 404
    told = web.program(web.cast.erin).get(path).json()
    assert (told["shared_with"], told["team"], told["may_change"]) == ("team", {"id": billing.id, "name": "Billing"}, True)

    join(web, web.cast.erin, billing, Part.MEMBER)
    assert web.program(web.cast.erin).get(path).json()["may_change"] is False
    assert web.program(web.cast.erin).patch(path, json={"title": "x"}).status_code == 403
    assert web.program(web.cast.erin).delete(path).status_code == 403
    assert web.program(web.cast.bob).patch(path, json={"title": "x"}).status_code == 200


def test_mine_can_be_given_to_all_by_who_may_and_not_taken_back_by_others(web: Web) -> None:
    path = add(web, web.cast.alice).headers["location"]
    alice, bob = web.program(web.cast.alice), web.program(web.cast.bob)

    assert alice.patch(path, json={"shared_with": "all"}).status_code == 403
    assert alice.patch(path, json={"team_id": web.cast.billing.id}).status_code == 422
    assert alice.patch(path, json={"shared_with": "team"}).status_code == 422
    assert bob.get(path).status_code == 404

    path = add(web, web.cast.bob).headers["location"]
    assert bob.patch(path, json={"shared_with": "all"}).json()["shared_with"] == "all"
    assert alice.patch(path, json={"shared_with": "me"}).status_code == 403
    assert titles(web, web.cast.alice) == ["Hello", "Hello"]


@pytest.mark.parametrize("text", ["{{7*7}}", "{{''.__class__.__mro__}}", "{{x|attr('__globals__')}}", "{{requester.password}}"])
def test_an_unknown_placeholder_is_refused_when_it_is_saved(web: Web, text: str) -> None:
    path = add(web, web.cast.alice).headers["location"]
    refused = [add(web, web.cast.alice, text=text), web.program(web.cast.alice).patch(path, json={"text": text})]

    for answer in refused:
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:atum-desk:problem:unknown-placeholder"
        assert text.strip("{}") in answer.json()["detail"]
        assert "requester.first_name" in answer.json()["detail"]


def test_a_reply_is_filled_in_for_a_ticket_and_what_is_filled_in_stays_words(web: Web) -> None:
    number = web.ticket(web.cast.carol, subject="{{7*7}} {% raw %}")
    with web.desk.db.transaction() as s:
        s.merge(web.cast.carol).name = "{{agent.email}} Smith"
    known = (
        "requester.name",
        "ticket.subject",
        "ticket.number",
        "organization.name",
        "team.name",
        "desk.url",
        "agent.first_name",
    )
    text = "|".join(f"{{{{{name}}}}}" for name in known)
    path = add(web, web.cast.alice, text=text + "{% for i in range(100000000) %}").headers["location"]

    answer = web.program(web.cast.alice).get(f"{path}/text", params={"ticket": number})

    expected = f"{{{{agent.email}}}} Smith|{{{{7*7}}}} {{% raw %}}|{number}|Acme||https://localhost|Alice"
    assert shapes.FilledIn.model_validate(answer.json()).text == expected + "{% for i in range(100000000) %}"


def test_it_is_filled_in_for_visible_tickets_only(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    path = add(web, web.cast.erin).headers["location"]
    with web.desk.db.transaction() as s:
        other = Team(name="Other", created_at=web.cast.carol.created_at)
        s.add(other)
        s.flush()
        web._found(s, number).team_id = other.id

    for ticket in (number, 999, 2**63 - 1):
        assert web.program(web.cast.erin).get(f"{path}/text", params={"ticket": ticket}).status_code == 404
    assert web.program(web.cast.erin).get(f"{path}/text", params={"ticket": 2**63}).status_code == 422
    assert web.program(web.cast.erin).get(f"{path}/text").status_code == 422


def test_replies_are_found_by_words_and_signs_mean_themselves(web: Web) -> None:
    add(web, web.cast.alice, title="VPN", text="100% sure", shortcut="vpn")
    add(web, web.cast.alice, title="Printer", text="Take paper_a4 out")

    assert titles(web, web.cast.alice, q="vpn") == ["VPN"]
    assert titles(web, web.cast.alice, q="PAPER") == ["Printer"]
    assert titles(web, web.cast.alice, q="%") == ["VPN"]
    assert titles(web, web.cast.alice, q="_") == ["Printer"]
    for strange in ("' OR 1=1 --", "\\", "\0x", "{{", "a" * 200):
        assert titles(web, web.cast.alice, q=strange) == []
    assert web.program(web.cast.alice).get(PATH, params={"q": "a" * 201}).status_code == 422


def test_a_list_goes_on_where_its_cursor_says(web: Web) -> None:
    for title in ("b", "A", "c", "a"):
        add(web, web.cast.alice, title=title)
    program, found = web.program(web.cast.alice), list[str]()
    cursor: Any = ""
    for _ in range(4):
        answer = program.get(PATH, params={"limit": 1} | ({"cursor": cursor} if cursor else {})).json()
        found += [each["title"] for each in answer["items"]]
        cursor = answer["next"]

    assert found == ["A", "a", "b", "c"]
    assert cursor is None
    for strange in ("x", "W10", "WzFd", "WyJhIiwtMV0", "WyJcdTAwMDAiLDFd", "WyJhIix0cnVlXQ", "é"):
        answer = program.get(PATH, params={"cursor": strange})
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:atum-desk:problem:wrong-cursor")
    for limit in (0, 101, -1, 10**9):
        assert program.get(PATH, params={"limit": limit}).status_code == 422


def test_a_list_is_one_statement_however_long_it_is(web: Web, statements: list[str]) -> None:
    program = web.program(web.cast.alice)
    counts = []
    for _ in range(2):
        for n in range(5):
            add(web, web.cast.alice, title=str(n))
        before = len(statements)
        assert program.get(PATH).status_code == 200
        counts.append(len(statements) - before)

    assert counts[0] == counts[1] <= 2


def test_a_save_that_lost_the_race_is_refused(web: Web) -> None:
    made = add(web, web.cast.alice)
    path, tag, program = made.headers["location"], made.headers["etag"], web.program(web.cast.alice)
    changed = program.patch(path, json={"title": "One", "shortcut": "one"}, headers={"If-Match": tag})

    assert (changed.status_code, changed.headers["etag"], changed.json()["text"]) == (
        200,
        '"2"',
        "Hello {{requester.first_name}}",
    )
    for late in (
        program.patch(path, json={"title": "Two"}, headers={"If-Match": tag}),
        program.delete(path, headers={"If-Match": tag}),
    ):
        assert late.status_code == 412
    assert program.patch(path, json={"shortcut": None}).json()["shortcut"] is None
    assert program.delete(path, headers={"If-Match": '"3"'}).status_code == 204
    assert program.get(path).status_code == 404


def test_a_shortcut_means_one_reply(web: Web) -> None:
    assert add(web, web.cast.alice, shortcut="vpn").status_code == 201
    assert add(web, web.cast.alice, shortcut="VPN").json()["type"] == "urn:atum-desk:problem:shortcut-taken"
    assert add(web, web.cast.bob, shortcut="vpn").status_code == 201
    assert add(web, web.cast.bob, shortcut="vpn", shared_with="all").status_code == 201
    assert add(web, web.cast.bob, shortcut="two words").status_code == 422
    path = add(web, web.cast.alice, shortcut="other").headers["location"]
    assert web.program(web.cast.alice).patch(path, json={"shortcut": "vpn"}).status_code == 409
    assert web.program(web.cast.alice).patch(path, json={"shortcut": "other"}).status_code == 200


@pytest.mark.parametrize(
    "strange",
    [
        {"owner_id": 1},
        {"revision": 7},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"title": ""},
        {"title": "\u202e"},
        {"text": ""},
        {"text": "x" * 20_001},
        {"shared_with": "everybody"},
        {"shared_with": "team"},
        {"shared_with": "team", "team_id": 99},
        {"team_id": 1},
        {"team_id": "1", "shared_with": "team"},
        {"team_id": 2**63, "shared_with": "team"},
    ],
)
def test_what_does_not_belong_in_a_reply_is_refused(web: Web, strange: dict[str, Any]) -> None:
    assert add(web, web.cast.bob, **strange).status_code == 422
    assert titles(web, web.cast.bob) == []


def test_every_change_is_in_the_audit(web: Web) -> None:
    path = add(web, web.cast.alice).headers["location"]
    web.program(web.cast.alice).patch(path, json={"title": "Two"})
    web.program(web.cast.alice).delete(path)

    with web.desk.db.transaction() as s:
        found = s.query(Entry).filter(Entry.kind == Event.CANNED_REPLY_CHANGED).order_by(Entry.seq).all()
        assert [(e.data["what"], e.data["title"], e.actor_id) for e in found] == [
            ("added", "Hello", web.cast.alice.id),
            ("changed", "Two", web.cast.alice.id),
            ("removed", "Two", web.cast.alice.id),
        ]


def test_signs_that_no_database_takes_are_refused_or_dropped(web: Web) -> None:
    program, headers = web.program(web.cast.alice), {"Content-Type": "application/json"}
    half = program.post(PATH, content=rb'{"title": "\ud800", "text": "x"}', headers=headers)
    none = program.post(PATH, content=rb'{"title": "a\u0000b", "text": "x\u0000y"}', headers=headers)

    assert half.status_code == 422
    assert (none.json()["title"], none.json()["text"]) == ("ab", "xy")
    assert program.post(PATH, content=b"{", headers=headers).status_code == 422
