"""Lists: page by page by cursor, complete, and as cheap with many rows as with few."""

from typing import Any

import pytest
from sqlalchemy import event

from app.audit.models import Event
from app.core.cursors import WrongCursor
from app.db.session import now as database_now
from app.tickets import actions as tickets
from app.web import describe, lists
from tests.web.conftest import Web
from tests.web.furniture import Furniture, furnish


def _numbers(web: Web, path: str, limit: int) -> list[int]:
    """Every number of a list, in the order in which the pages gave them."""
    program, found, cursor = web.program(web.cast.alice), [], ""
    while True:
        answer = program.get(f"{path}?limit={limit}{cursor}").json()
        found += [item["number"] for item in answer["items"]]
        if answer["next"] is None:
            return found
        cursor = f"&cursor={answer['next']}"


def test_going_from_page_to_page_shows_every_ticket_once(web: Web) -> None:
    made = [web.ticket(web.cast.carol, f"Number {n}") for n in range(7)]

    assert _numbers(web, "/api/v1/tickets", 3) == made[::-1]
    assert _numbers(web, "/api/v1/tickets", 7) == made[::-1]


def test_a_change_meanwhile_does_not_hide_what_comes_after(web: Web) -> None:
    made = [web.ticket(web.cast.carol, f"Number {n}") for n in range(4)]
    program = web.program(web.cast.alice)
    first = program.get("/api/v1/tickets?limit=2").json()
    web.note(made[3], "newer than it was")

    rest = program.get(f"/api/v1/tickets?limit=2&cursor={first['next']}").json()

    assert [item["number"] for item in rest["items"]] == [made[1], made[0]]


def test_a_page_leads_further_back_and_to_the_beginning_again(web: Web) -> None:
    made = [web.ticket(web.cast.carol, f"Number {n:02}.") for n in range(52)]
    browser = web.browser(web.cast.alice)
    first = browser.get("/tickets?status=new")
    next = first.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")

    second = browser.get(next)

    assert "Number 51." in first.text
    assert "Number 01." not in first.text
    assert "Number 01." in second.text
    assert "Number 51." not in second.text
    assert 'href="/tickets?status=new"' in second.text.partition("To the beginning")[0].rpartition("<a")[2]
    assert len(made) == 52


@pytest.mark.parametrize("cursor", ["x", "e30=", "WzEsIDJd", "%00", "WyIyMDI2IiwgMTBd" * 9])
def test_a_made_up_cursor_is_refused_in_words(web: Web, cursor: str) -> None:
    assert web.program(web.cast.alice).get(f"/api/v1/tickets?cursor={cursor}").status_code == 422
    assert web.browser(web.cast.alice).get(f"/tickets?cursor={cursor}").status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "status=lost", "assignee_id=x"])
def test_a_list_refuses_what_it_does_not_know(web: Web, query: str) -> None:
    assert web.program(web.cast.alice).get(f"/api/v1/tickets?{query}").status_code == 422


@pytest.mark.parametrize("path", ["/tickets", "/api/v1/tickets"])
def test_a_list_costs_as_many_statements_with_many_rows_as_with_one(web: Web, statements: list[str], path: str) -> None:
    browser = web.browser(web.cast.alice)

    def cost() -> int:
        statements.clear()
        assert browser.get(path).status_code == 200
        return len(statements)

    web.ticket(web.cast.carol, accepted=True)
    with_one = cost()
    for n in range(12):
        web.ticket(web.cast.dave if n % 2 else web.cast.mallory, accepted=True)

    assert cost() == with_one
    assert with_one <= 9


@pytest.mark.parametrize("path", ["/tickets/{}", "/my/tickets/{}", "/api/v1/tickets/{}/messages"])
def test_a_ticket_costs_as_many_statements_with_many_messages_as_with_one(web: Web, statements: list[str], path: str) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    browser = web.browser(web.cast.carol if path.startswith("/my") else web.cast.alice)
    at = f"/tickets/{number}"

    def cost() -> int:
        statements.clear()
        assert browser.get(path.format(number)).status_code == 200
        return len(statements)

    def answer() -> None:
        sent = [("files", ("a.txt", b"a", "text/plain"))]
        web.browser(web.cast.bob).submit(at, f"{at}/messages", having="answer", text="Hm.", files=sent)

    answer()
    with_one = cost()
    for _ in range(6):
        answer()
        web.note(number, "Hm.")

    assert cost() == with_one


SHORT = [f"/api/v1/tickets/{{number}}/{name}" for name in ("events", "watchers", "links", "sla")]
SHORT += [f"/api/v1/{name}" for name in ("views", "sla/policies", "role-policies")]


def test_every_list_of_the_api_has_pages_and_they_show_every_row_once(web: Web) -> None:
    found = _with_several_rows(web)
    root, document = web.program(web.cast.root), describe.document(web.app)
    several = set()
    for path, methods in document["paths"].items():
        if "items" not in _answered(document, methods.get("get", {})):
            continue
        takes = {each["name"]: each["schema"] for each in methods["get"].get("parameters", ()) if each["in"] == "query"}
        assert {"limit", "cursor"} <= set(takes), path
        if path.endswith("/checkpoints"):
            continue  # one a day
        at = found.path("GET", path) + (found.query("GET", path, "") or ("?q=a" if "suggestions" in path else ""))
        at += "&" if "?" in at else "?"
        whole = root.get(at + "limit=100").json()["items"]
        pages: list[list[Any]] = []
        cursor: str | None = ""
        while cursor is not None and len(pages) < 50:
            answer = root.get(f"{at}limit=1{cursor}")
            assert answer.status_code == 200, (at, answer.text)
            pages.append(answer.json()["items"])
            cursor = f"&cursor={answer.json()['next']}" if answer.json()["next"] else None
        assert len(whole) < 100, path
        if not path.endswith("/audit"):  # a longer one is every day's
            assert [item for page in pages for item in page] == whole, path
        assert [len(page) for page in pages[:-1]] == [1] * (len(pages) - 1), path
        assert root.get(at + "limit=101").status_code == root.get(at + "limit=0").status_code == 422, path
        several |= {path} if len(pages) > 1 else set()
    assert set(SHORT) <= several


def test_a_long_timeline_is_read_a_page_at_a_time_and_by_as_many_statements(web: Web, statements: list[str]) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    program, rows = web.program(web.cast.alice), []
    with web.desk.db.transaction() as s:
        ticket, bob, now = web._found(s, number), s.merge(web.cast.bob), database_now(s)
        for n in range(5_000):
            tickets.record(s, ticket, Event.TICKET_SUBJECT_CHANGED, by=bob, now=now, before=str(n), after=str(n + 1))
    program.get(f"/api/v1/tickets/{number}/events?limit=1")
    event.listen(web.desk.db.engine, "after_cursor_execute", lambda _c, cursor, *_: rows.append(cursor.rowcount))
    statements.clear()
    page = program.get(f"/api/v1/tickets/{number}/events?limit=100").json()
    assert len(page["items"]) == 100
    assert len(statements) <= 5
    assert max(rows) <= 101
    last = [entry["seq"] for entry in program.get(f"/api/v1/tickets/{number}/events?cursor={page['next']}").json()["items"]]
    assert last[0] > page["items"][-1]["seq"]
    lost = program.patch(f"/api/v1/tickets/{number}", json={"priority": "low"}, headers={"If-Match": '"1"'})
    assert len(lost.json()["changes"]) == 100
    assert max(rows) <= 101


def test_a_row_that_went_between_two_pages_hides_no_other() -> None:
    rows = [{"n": n} for n in (3, 1, 2)]
    first = lists.page(rows, lambda row: (row["n"],), limit=2, cursor=None)
    assert [row["n"] for row in first["items"]] == [1, 2]
    rest = lists.page([{"n": 3}, {"n": 1}], lambda row: (row["n"],), limit=2, cursor=first["next"])
    assert (rest["items"], rest["next"]) == ([{"n": 3}], None)
    with pytest.raises(WrongCursor):
        lists.page(rows, lambda row: (row["n"],), limit=2, cursor="x")


def _with_several_rows(web: Web) -> Furniture:
    found = furnish(web)
    root, number = web.program(web.cast.root), found.tickets["accepted"]
    for n in range(3):
        at = f"/api/v1/tickets/{number}"
        other = web.ticket(web.cast.carol, f"Other {n}")
        sent = [
            root.post(f"{at}/watchers", json={"email": f"{n}@acme.example", "kind": "cc"}),
            root.post(f"{at}/links", json={"ticket": other, "relation": "blocks"}),
            root.post("/api/v1/views", json={"name": f"Ä{n}", "query": "status:open", "shared": ("me", "all", "me")[n]}),
        ]
        assert [each.status_code for each in sent] == [201, 201, 201]
    return found


def _answered(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The fields of what a call answers."""
    schema = operation.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    properties: dict[str, Any] = document["components"]["schemas"].get(name, {}).get("properties", {})
    return properties
