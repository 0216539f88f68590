"""The agent's day: the list, a ticket, and what can be done to it, by forms alone."""

from typing import Any

import pytest
from sqlalchemy import update

from app.accounts.models import Membership
from app.accounts.rules import Part
from app.db.session import now as database_now
from app.intake.models import Mailbox
from app.intake.rules.states import MailboxState
from tests.web.browser import Page
from tests.web.conftest import Web


def test_a_new_ticket_is_in_the_list_with_its_requester(web: Web) -> None:
    number = web.ticket(web.cast.carol, subject="Printer on fire")

    words = web.browser(web.cast.alice).page("/tickets").text

    assert all(part in words for part in (str(number), "Printer on fire", "Carol, Acme", "nobody"))


def test_the_list_is_narrowed_by_status_and_by_whose_it_is(web: Web) -> None:
    mine, new = web.ticket(web.cast.carol, "Mine", accepted=True), web.ticket(web.cast.carol, "Fresh")
    browser = web.browser(web.cast.alice)
    browser.submit(f"/tickets/{mine}", f"/tickets/{mine}/assignment", assignee=str(web.cast.alice.id))

    shown = {
        query: {subject for subject in ("Mine", "Fresh") if subject in browser.page(f"/tickets{query}").text.split("Changed")[1]}
        for query in ("", "?status=accepted", "?whose=mine", "?whose=nobody", "?status=all&whose=nobody")
    }

    assert shown[""] == {"Mine", "Fresh"}
    assert shown["?status=accepted"] == shown["?whose=mine"] == {"Mine"}
    assert shown["?whose=nobody"] == shown["?status=all&whose=nobody"] == {"Fresh"}
    assert "Nothing here" in browser.page("/tickets?status=closed").text
    assert browser.get("/tickets?status=sorted").status_code == 404
    assert new


def test_accepting_starts_the_clocks_and_shows_how_the_deadline_came_about(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    browser = web.browser(web.cast.alice)
    assert "No clock runs yet" in browser.page(f"/tickets/{number}").text

    answer = browser.submit(f"/tickets/{number}", f"/tickets/{number}/acceptance")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/tickets/{number}")
    words = browser.page(f"/tickets/{number}").text
    assert all(part in words for part in ("Accepted", "First response", "Resolution", "due in 7 h", "How this came about"))
    assert "due in" in browser.page("/tickets").text


def test_an_answer_goes_to_the_customer_and_moves_the_ticket(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    at = f"/tickets/{number}"

    answer = web.browser(web.cast.alice).submit(
        at, f"{at}/messages", having="answer", wait="0", text="Take the paper out.", then="waiting_customer"
    )

    assert answer.status_code == 303
    assert web.status(number) == "waiting_customer"
    assert web.said(number)[-1] == ("Take the paper out.", False)
    words = web.browser(web.cast.alice).page(at).text
    assert "no SMTP server is set" in words
    assert "Take the paper out." in web.browser(web.cast.carol).page(f"/my/tickets/{number}").text


def test_a_note_is_for_colleagues_alone(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/tickets/{number}"

    web.browser(web.cast.alice).submit(at, f"{at}/messages", having="note", text="She is cross.")

    assert web.said(number)[-1] == ("She is cross.", True)
    assert "Internal note. No customer sees it." in web.browser(web.cast.bob).page(at).text
    with web.desk.db.reading() as c:
        letters = c.exec_driver_sql("SELECT text FROM outbox").scalars().all()
    assert not any("cross" in text for text in letters)


def test_a_form_that_does_not_say_whether_it_is_an_answer_or_a_note_is_refused(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    at = f"/tickets/{number}"

    answer = web.browser(web.cast.alice).submit(at, f"{at}/messages", having="note", text="She is cross.", kind="")

    assert answer.status_code == 422
    assert len(web.said(number)) == 1


def test_a_refused_answer_keeps_its_words_and_changes_nothing(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/tickets/{number}"

    answer = web.browser(web.cast.alice).submit(at, f"{at}/messages", having="answer", text="Long and <well> chosen words")

    page = Page(answer.text)
    assert answer.status_code == 409
    assert "Accept it first" in page.text
    kept = next(form for form in page.forms if form.fields.get("kind") == "answer")
    assert kept.fields["text"] == "Long and <well> chosen words"
    assert len(web.said(number)) == 1


def test_an_answer_whose_status_can_not_follow_is_not_half_done(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    at = f"/tickets/{number}"

    answer = web.browser(web.cast.alice).submit(at, f"{at}/messages", having="answer", text="Done.", then="closed")

    assert answer.status_code == 409
    assert (web.status(number), len(web.said(number))) == ("accepted", 1)
    with web.desk.db.reading() as c:
        kinds = c.exec_driver_sql("SELECT kind FROM audit_event WHERE ticket = %s ORDER BY seq", (number,)).scalars().all()
    assert kinds == ["ticket.opened", "ticket.accepted"]


def test_an_answer_can_accept_the_ticket_on_the_way(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/tickets/{number}"

    answer = web.browser(web.cast.alice).submit(
        at, f"{at}/messages", having="answer", wait="0", text="Done.", then="resolved", accept="yes"
    )

    assert answer.status_code == 303
    assert web.status(number) == "resolved"


def test_a_step_that_is_not_allowed_is_told_on_the_tickets_page_and_names_what_is(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    at = f"/tickets/{number}"

    answer = web.browser(web.cast.alice).submit(at, f"{at}/status", to="closed")

    words = Page(answer.text).text
    assert answer.status_code == 409
    assert "Allowed from here: in_progress, waiting_customer, resolved, cancelled" in words
    assert "It smokes." in words


@pytest.mark.parametrize(("to", "shown"), [("alice", "Alice"), ("", "nobody")])
def test_a_ticket_is_given_to_somebody_or_nobody(web: Web, to: str, shown: str) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/tickets/{number}"
    id = str(web.cast.alice.id) if to else ""

    assert web.browser(web.cast.bob).submit(at, f"{at}/assignment", assignee=id).status_code == 303
    assert f"Assignee{shown}" in web.browser(web.cast.bob).page(at).text.replace("\n", "")


@pytest.mark.parametrize("id", ["999999", "-1", "x", "9" * 40])
def test_a_ticket_is_not_given_to_people_who_are_not_there(web: Web, id: str) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/tickets/{number}"

    answer = web.browser(web.cast.bob).submit(at, f"{at}/assignment", assignee=id)

    assert answer.status_code == 422
    assert "There is no such person" in Page(answer.text).text


def test_a_ticket_is_not_given_to_a_customer(web: Web) -> None:
    number = web.ticket(web.cast.carol)
    at = f"/tickets/{number}"

    assert web.browser(web.cast.bob).submit(at, f"{at}/assignment", assignee=str(web.cast.carol.id)).status_code == 422


def test_its_priority_can_be_changed(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    at = f"/tickets/{number}"
    browser = web.browser(web.cast.alice)

    browser.submit(at, f"{at}/priority", to="urgent")

    words = browser.page(at).text
    assert "urgent priority" in words
    assert "changed its priority from medium to urgent" in words


def test_staff_open_a_ticket_for_somebody_they_never_heard_of(web: Web) -> None:
    browser = web.browser(web.cast.alice)
    typed = {"address": "Fresh@New.example", "name": "Frances", "subject": "Called", "text": "Wants a quote.", "priority": "high"}

    answer = browser.submit("/tickets/new", "/tickets/new", **typed)

    assert answer.status_code == 303
    words = browser.page(answer.headers["location"]).text
    assert all(part in words for part in ("Called", "Frances", "fresh@new.example", "high priority"))


@pytest.mark.parametrize(("field", "value"), [("address", "no address"), ("subject", " "), ("text", " ")])
def test_a_mistake_in_the_form_for_a_new_ticket_keeps_the_rest(web: Web, field: str, value: str) -> None:
    typed = {"address": "fresh@new.example", "subject": "Called", "text": "Wants a quote.", field: value}

    answer = web.browser(web.cast.alice).submit("/tickets/new", "/tickets/new", **typed)

    kept = next(form for form in Page(answer.text).forms if form.action == "/tickets/new").fields
    assert answer.status_code == 422
    assert {name: kept[name] for name in typed} == typed
    assert "No ticket is open" in web.browser(web.cast.alice).page("/tickets").text


def test_the_events_tell_what_happened_in_words(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    at = f"/tickets/{number}"
    browser = web.browser(web.cast.alice)
    browser.submit(at, f"{at}/messages", having="answer", wait="0", text="Done.", then="resolved")

    words = " ".join(browser.page(at).text.split())

    assert "Carol opened the ticket" in words
    assert "Alice accepted it" in words
    assert "Alice moved it from accepted to resolved" in words


def test_a_mailbox_that_fails_is_told_on_every_page_of_the_staff_and_on_no_customers_page(web: Web) -> None:
    box: dict[str, Any] = {"name": "support@x.example", "address": "support@x.example", "host": "imap.x.example", "port": 993}
    box |= {"tls": True, "username": "u", "folder": "INBOX", "credentials": "", "last_uid": 0, "lease_epoch": 0, "failures": 3}
    with web.desk.db.transaction() as s:
        s.add(Mailbox(**box, created_at=database_now(s), state=MailboxState.FAILING, reason="the password is wrong"))
    number = web.ticket(web.cast.carol)

    for path in ("/tickets", "/tickets/new", f"/tickets/{number}"):
        assert "support@x.example is not coming in: the password is wrong" in web.browser(web.cast.alice).page(path).text
    assert "password is wrong" not in web.browser(web.cast.carol).page(f"/my/tickets/{number}").text


@pytest.mark.parametrize("path", ["/tickets/999999", "/tickets/0", "/tickets/x", "/tickets/-1", "/x"])
def test_what_is_not_there_is_told_kindly_with_a_way_back(web: Web, path: str) -> None:
    answer = web.browser(web.cast.alice).get(path)

    assert answer.status_code == 404
    assert 'href="/"' in answer.text


def test_a_customer_who_follows_a_mails_link_comes_to_their_own_page(web: Web) -> None:
    number = web.ticket(web.cast.carol)

    assert web.browser(web.cast.carol).get(f"/tickets/{number}").headers["location"] == f"/my/tickets/{number}"
    assert web.browser(web.cast.alice).get(f"/my/tickets/{number}").headers["location"] == f"/tickets/{number}"
    assert web.browser(web.cast.carol).get("/tickets").headers["location"] == "/my/tickets"
    assert web.browser(web.cast.carol).get("/tickets/new").headers["location"] == "/my/tickets/new"


def test_an_empty_desk_says_what_would_make_the_first_ticket(web: Web) -> None:
    page = web.browser(web.cast.alice).get("/tickets").text
    assert "once a mailbox is connected" in page


def test_a_teams_reader_leaves_notes_and_is_offered_nothing_else(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    web.to_team(number, web.cast.billing)
    with web.desk.db.transaction() as s:
        s.execute(update(Membership).values(part=Part.READER))
    erin = web.browser(web.cast.erin)
    shown = erin.page(f"/tickets/{number}")
    offered = {form.action.rpartition("/")[2] for form in shown.forms if form.action.startswith(f"/tickets/{number}/")}
    assert offered == {"messages"}

    erin.submit(f"/tickets/{number}", f"/tickets/{number}/messages", kind="note", text="Seen it before.")

    assert ("Seen it before.", True) in web.said(number)
    refused = erin.fill(shown, f"/tickets/{number}/messages", kind="answer", text="Hello")
    assert refused.status_code == 403
    assert len(web.said(number)) == 2


def test_a_merged_ticket_says_where_it_went_and_offers_no_form(web: Web) -> None:
    first, second = web.ticket(web.cast.carol), web.ticket(web.cast.carol)
    assert web.program(web.cast.alice).post(f"/api/v1/tickets/{first}/merge", json={"into": second}).status_code == 201
    shown = web.browser(web.cast.alice).page(f"/tickets/{first}")
    assert f"part of ticket {second}" in shown.text
    assert not [form for form in shown.forms if form.action.startswith(f"/tickets/{first}/")]
