"""Links between tickets, for programs."""

from typing import Any

import pytest
from httpx2 import Response

from app.accounts.models import Person
from app.web.shapes import desk as shapes
from tests.web.conftest import Web


def at(number: int) -> str:
    return f"/api/v1/tickets/{number}/links"


def link(web: Web, by: Person, number: int, relation: str, other: int) -> Response:
    return web.program(by).post(at(number), json={"relation": relation, "ticket": other})


def listed(web: Web, by: Person, number: int) -> list[tuple[str, int]]:
    answer = web.program(by).get(at(number))
    assert answer.status_code == 200, answer.text
    shapes.Links.model_validate(answer.json())
    return [(each["relation"], each["ticket"]["number"]) for each in answer.json()["items"]]


def test_a_link_is_made_told_from_both_ends_and_taken_away(web: Web) -> None:
    one, two = web.ticket(web.cast.carol), web.ticket(web.cast.carol)
    made = link(web, web.cast.alice, one, "blocks", two)

    assert made.status_code == 201
    assert made.json()["items"][0]["ticket"] == {"number": two, "subject": "Printer", "status": "new"}
    assert listed(web, web.cast.alice, two) == [("blocked_by", one)]
    assert web.program(web.cast.alice).delete(f"{at(two)}/blocks/{one}").status_code == 404
    assert web.program(web.cast.alice).delete(f"{at(two)}/blocked_by/{one}").status_code == 204
    assert listed(web, web.cast.alice, one) == []


def test_a_circle_is_refused_and_says_so(web: Web) -> None:
    one, two, three = (web.ticket(web.cast.carol) for _ in range(3))
    link(web, web.cast.alice, one, "parent_of", two)
    link(web, web.cast.alice, three, "child_of", two)

    refused = link(web, web.cast.alice, three, "parent_of", one)

    assert (refused.status_code, refused.json()["type"]) == (409, "urn:atum-desk:problem:link-circle")
    assert str(two) not in refused.json()["detail"].split()


def test_links_are_the_staffs_and_never_lead_to_what_one_may_not_see(web: Web) -> None:
    ours, hidden = web.ticket(web.cast.carol), web.ticket(web.cast.mallory)
    with web.desk.db.transaction() as s:
        web._found(s, hidden).team_id = web.cast.billing.id

    assert link(web, web.cast.alice, ours, "related_to", hidden).status_code == 404
    assert link(web, web.cast.alice, hidden, "related_to", ours).status_code == 404
    assert (
        link(web, web.cast.alice, ours, "related_to", 999).json()["detail"].replace("999", str(hidden))
        == (link(web, web.cast.alice, ours, "related_to", hidden).json()["detail"])
    ), "hidden and missing are told alike"
    assert link(web, web.cast.erin, ours, "related_to", hidden).status_code == 201
    assert listed(web, web.cast.alice, ours) == []
    assert web.program(web.cast.alice).delete(f"{at(ours)}/related_to/{hidden}").status_code == 404
    assert listed(web, web.cast.erin, hidden) == [("related_to", ours)]
    for person, status in ((web.cast.carol, 403), (web.cast.mallory, 404), (web.cast.frank, 404)):
        assert web.program(person).get(at(ours)).status_code == status
        assert link(web, person, ours, "related_to", hidden).status_code == status
        assert web.program(person).delete(f"{at(ours)}/related_to/{hidden}").status_code == status
    assert listed(web, web.cast.bob, ours) == [("related_to", hidden)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"relation": "parent", "ticket": 2},
        {"relation": "parent_of"},
        {"relation": "parent_of", "ticket": "2"},
        {"relation": "parent_of", "ticket": 0},
        {"relation": "parent_of", "ticket": 2**63},
        {"relation": "parent_of", "ticket": 1},
        {"relation": "parent_of", "ticket": 2, "linked_by_id": 7},
    ],
)
def test_what_is_no_link_is_refused(web: Web, body: dict[str, Any]) -> None:
    one = web.ticket(web.cast.carol)
    web.ticket(web.cast.carol)
    assert one == 1

    assert web.program(web.cast.alice).post(at(one), json=body).status_code == 422
    assert listed(web, web.cast.alice, one) == []
    assert web.program(web.cast.alice).delete(f"{at(one)}/parent/2").status_code == 422
    assert web.program(web.cast.alice).delete(f"{at(one)}/parent_of/{2**63}").status_code == 422


def test_a_link_bumps_the_revision_of_the_ticket_it_was_made_on(web: Web) -> None:
    one, two = web.ticket(web.cast.carol), web.ticket(web.cast.carol)
    link(web, web.cast.alice, one, "related_to", two)
    body = {"relation": "blocks", "ticket": two}

    late = web.program(web.cast.alice).post(at(one), json=body, headers={"If-Match": '"1"'})

    assert late.status_code == 412
    assert late.json()["changes"][0]["kind"] == "ticket.linked"
