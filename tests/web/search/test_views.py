"""Saved searches: whose they are, who may change them, and what they count."""

from typing import Any

import pytest
from httpx2 import Response

from app.accounts.models import Membership, Person
from app.accounts.rules import Part
from app.web.shapes import search as shapes
from tests.web.conftest import Web

VIEWS = "/api/v1/views"


def save(web: Web, who: Person, **values: Any) -> Response:
    return web.program(who).post(VIEWS, json={"name": "Mine", "query": "assignee:me status:open", **values})


def saved(web: Web, who: Person, **values: Any) -> dict[str, Any]:
    answer = save(web, who, **values)
    assert answer.status_code == 201, answer.text
    shapes.View.model_validate(answer.json())
    assert answer.headers["location"] == f"{VIEWS}/{answer.json()['id']}"
    made: dict[str, Any] = answer.json()
    return made


def seen(web: Web, who: Person) -> dict[str, Any]:
    page = web.program(who).get(VIEWS).json()
    shapes.Views.model_validate(page)
    return {view["name"]: view for view in page["items"]}


def lead(web: Web, person: Person) -> None:
    with web.desk.db.transaction() as s:
        found = s.get(Membership, (web.cast.billing.id, person.id))
        assert found is not None
        found.part = Part.LEAD


def test_a_view_is_seen_by_whom_it_is_for(web: Web) -> None:
    cast = web.cast
    lead(web, cast.erin)
    saved(web, cast.erin, name="Erin's")
    saved(web, cast.erin, name="Billing's", shared="team", team_id=cast.billing.id)
    saved(web, cast.bob, name="All's", shared="all")
    assert list(seen(web, cast.erin)) == ["Erin's", "Billing's", "All's"]
    assert list(seen(web, cast.alice)) == ["All's"]
    assert list(seen(web, cast.bob)) == ["Billing's", "All's"]
    assert [view["changeable"] for view in seen(web, cast.erin).values()] == [True, True, False]


def test_customers_have_no_views(web: Web) -> None:
    made = saved(web, web.cast.bob, shared="all")
    for who in (web.cast.carol, web.cast.dave, web.cast.mallory):
        program = web.program(who)
        assert program.get(VIEWS).status_code == 403
        assert program.get(f"{VIEWS}/{made['id']}/tickets").status_code == 403
        assert save(web, who).status_code == 403
        assert program.delete(f"{VIEWS}/{made['id']}").status_code == 403


def test_nobody_sees_or_changes_anothers_own_view(web: Web) -> None:
    made = saved(web, web.cast.alice)
    path = f"{VIEWS}/{made['id']}"
    for who in (web.cast.erin, web.cast.bob, web.cast.root):
        program = web.program(who)
        for answer in (
            program.get(path),
            program.get(f"{path}/tickets"),
            program.patch(path, json={"name": "x"}),
            program.delete(path),
        ):
            assert answer.status_code == 404


def test_a_teams_view_takes_its_lead_and_everybodys_a_manager(web: Web) -> None:
    cast, team = web.cast, {"shared": "team", "team_id": web.cast.billing.id}
    assert save(web, cast.erin, **team).status_code == 403
    assert save(web, cast.alice, **team).status_code == 403
    assert save(web, cast.alice, shared="all").status_code == 403
    made = saved(web, cast.bob, **team)
    path = f"{VIEWS}/{made['id']}"
    assert web.program(cast.alice).patch(path, json={"name": "x"}).status_code == 404
    assert web.program(cast.erin).patch(path, json={"name": "x"}).status_code == 403
    assert web.program(cast.erin).delete(path).status_code == 403
    lead(web, cast.erin)
    assert web.program(cast.erin).patch(path, json={"name": "Ours"}).json()["name"] == "Ours"
    assert web.program(cast.erin).delete(path).status_code == 204
    assert web.program(cast.erin).get(path).status_code == 404


@pytest.mark.parametrize(
    "values",
    [
        {"shared": "team"},
        {"team_id": 1},
        {"shared": "team", "team_id": 999_999},
        {"name": " "},
        {"name": "x" * 101},
        {"sort": "updatd"},
        {"owner_id": 1},
        {"position": -1},
        {"query": "x" * 2001},
    ],
)
def test_what_no_view_can_be_is_refused(web: Web, values: dict[str, Any]) -> None:
    assert save(web, web.cast.bob, **values).status_code == 422
    assert seen(web, web.cast.bob) == {}


@pytest.mark.parametrize(("query", "word"), [("a priorty:high", "priorty:high"), ("a team:biling", "team:biling"), ("(a", "(")])
def test_a_query_is_understood_before_it_is_saved(web: Web, query: str, word: str) -> None:
    refused = save(web, web.cast.alice, query=query).json()
    assert (refused["type"], refused["word"]) == ("urn:atum-desk:problem:query", word)
    made = saved(web, web.cast.alice)
    again = web.program(web.cast.alice).patch(f"{VIEWS}/{made['id']}", json={"query": query})
    assert (again.status_code, again.json()["word"]) == (422, word)


def test_a_save_that_lost_the_race_changes_nothing(web: Web) -> None:
    made = saved(web, web.cast.alice)
    program, path = web.program(web.cast.alice), f"{VIEWS}/{made['id']}"
    first = program.get(path)
    assert program.patch(path, json={"name": "New"}, headers={"If-Match": first.headers["etag"]}).status_code == 200
    assert program.patch(path, json={"name": "Newer"}, headers={"If-Match": first.headers["etag"]}).status_code == 412
    assert program.delete(path, headers={"If-Match": first.headers["etag"]}).status_code == 412
    assert program.get(path).json()["name"] == "New"


def test_me_in_a_shared_view_is_whoever_looks(web: Web) -> None:
    made = saved(web, web.cast.bob, shared="all")
    number = web.ticket(web.cast.carol)
    with web.desk.db.transaction() as s:
        web._found(s, number).assignee_id = web.cast.alice.id
    for who, expected in ((web.cast.alice, [number]), (web.cast.bob, []), (web.cast.erin, [])):
        page = web.program(who).get(f"{VIEWS}/{made['id']}/tickets").json()
        assert [row["number"] for row in page["items"]] == expected
        assert seen(web, who)["Mine"]["count"] == {"count": len(expected), "more": False}


def test_counts_tell_nothing_of_other_teams_and_end_at_a_hundred(web: Web) -> None:
    saved(web, web.cast.bob, name="Everything", query="", shared="all")
    number = web.ticket(web.cast.carol)
    with web.desk.db.transaction() as s:
        web._found(s, number).team_id = web.cast.billing.id
    assert seen(web, web.cast.alice)["Everything"]["count"] == {"count": 0, "more": False}
    for _ in range(101):
        web.ticket(web.cast.carol)
    assert seen(web, web.cast.alice)["Everything"]["count"] == {"count": 100, "more": True}


def test_many_views_cost_as_many_statements_as_one(web: Web, statements: list[str]) -> None:
    program = web.program(web.cast.bob)

    def cost() -> int:
        statements.clear()
        assert program.get(VIEWS).status_code == 200
        return sum("token_hash" not in said for said in statements)  # who asks

    saved(web, web.cast.bob, query="team:billing printer")
    with_one = cost()
    for n in range(8):
        saved(web, web.cast.bob, name=f"{n}", query=f"team:billing -tag:x{n} printer")
    assert cost() == with_one == 3  # the views, what the names mean, the counts


def test_a_view_whose_team_is_gone_counts_nothing_and_says_so(web: Web) -> None:
    made = saved(web, web.cast.bob, query="team:billing")
    with web.desk.db.transaction() as s:
        s.merge(web.cast.billing).name = "Accounts"
    assert seen(web, web.cast.bob)["Mine"]["count"] is None
    refused = web.program(web.cast.bob).get(f"{VIEWS}/{made['id']}/tickets")
    assert (refused.status_code, refused.json()["word"]) == (422, "team:billing")
