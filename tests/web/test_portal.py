"""The customer's pages: their own tickets and nothing of what is said about them."""

import pytest

from app.db.session import now as database_now
from app.tickets import actions as tickets
from app.tickets import queries
from app.tickets.rules import REOPEN_WINDOW, Status
from tests.web.browser import Page
from tests.web.conftest import Web


def _end(web: Web, number: int, to: Status) -> None:
    with web.desk.db.transaction() as s:
        ticket, alice = queries.by_number(s, number, lock=True), s.merge(web.cast.alice)
        assert ticket is not None
        for step in [Status.RESOLVED, Status.CLOSED] if to is Status.CLOSED else [to]:
            tickets.change_status(s, ticket, to=step, by=alice, now=database_now(s))


def test_a_customer_opens_a_ticket_and_finds_it_again(web: Web) -> None:
    browser = web.browser(web.cast.carol)
    assert "You have no tickets yet" in browser.page("/my/tickets").text

    answer = browser.submit("/my/tickets/new", "/my/tickets/new", subject="Printer", text="It smokes.")

    assert answer.status_code == 303
    page = browser.page(answer.headers["location"]).text
    assert all(part in page for part in ("Printer", "It smokes.", "Received"))
    assert "Printer" in browser.page("/my/tickets").text


def test_no_customer_ever_sees_a_note_by_any_door(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    web.note(number, "She is cross.")

    for customer in (web.cast.carol, web.cast.dave):
        browser, program = web.browser(customer), web.program(customer)
        answers = [browser.get(f"/my/tickets/{number}"), browser.get("/my/tickets"), program.get("/api/v1/tickets")]
        answers += [program.get(f"/api/v1/tickets/{number}{part}") for part in ("", "/messages", "/sla")]
        assert all(answer.status_code == 200 for answer in answers)
        assert not any("cross" in answer.text for answer in answers)
    note = web.program(web.cast.carol).post(f"/api/v1/tickets/{number}/messages", json={"body": "psst", "internal": True})
    assert note.status_code == 403


def test_an_organizations_administrator_sees_its_tickets_and_a_colleague_does_not(web: Web) -> None:
    of_dave, of_carol = web.ticket(web.cast.dave, "Of Dave"), web.ticket(web.cast.carol, "Of Carol")

    assert web.browser(web.cast.dave).get(f"/my/tickets/{of_carol}").status_code == 200
    assert "Of Carol" in web.browser(web.cast.dave).page("/my/tickets").text
    assert web.browser(web.cast.carol).get(f"/my/tickets/{of_dave}").status_code == 404
    assert "Of Dave" not in web.browser(web.cast.carol).page("/my/tickets").text


@pytest.mark.parametrize(("before", "after"), [(Status.WAITING_CUSTOMER, "in_progress"), (Status.RESOLVED, "in_progress")])
def test_the_customers_answer_brings_a_ticket_back(web: Web, before: Status, after: str) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    _end(web, number, before)
    at = f"/my/tickets/{number}"

    answer = web.browser(web.cast.carol).submit(at, f"{at}/messages", text="It still smokes.")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{at}#message-")
    assert web.status(number) == after
    assert web.said(number)[-1] == ("It still smokes.", False)


def test_long_after_the_end_an_answer_is_a_new_ticket_and_leads_there(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    _end(web, number, Status.CLOSED)
    with web.desk.db.transaction() as s:
        ticket = queries.by_number(s, number)
        assert ticket is not None
        assert ticket.closed_at is not None
        ticket.closed_at -= REOPEN_WINDOW * 2

    at = f"/my/tickets/{number}"
    answer = web.browser(web.cast.carol).submit(at, f"{at}/messages", text="Again!")

    led_to = answer.headers["location"].partition("#")[0]
    assert led_to == f"/my/tickets/{number + 1}"
    assert f"follows {number}" in web.browser(web.cast.carol).page(led_to).text


def test_an_empty_answer_is_refused_on_the_page(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/my/tickets/{number}"

    answer = web.browser(web.cast.carol).submit(at, f"{at}/messages", text=" \n ")

    assert answer.status_code == 422
    assert "There is nothing in this message" in Page(answer.text).text
    assert "It smokes." in answer.text


def test_staff_are_sent_from_the_portal_to_their_desk(web: Web) -> None:
    browser = web.browser(web.cast.alice)

    assert browser.get("/my/tickets").headers["location"] == "/tickets"
    assert browser.get("/my/tickets/new").headers["location"] == "/tickets/new"
