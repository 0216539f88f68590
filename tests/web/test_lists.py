"""Lists: page by page by cursor, complete, and as cheap with many rows as with few."""

import pytest

from tests.web.conftest import Web


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
