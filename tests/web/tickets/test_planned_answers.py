"""Undo and send later: by the page and by programs, and never in front of a customer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db.session import now as database_now
from app.outbox.models import Kind, Letter
from app.tickets import planned
from app.tickets.models import PlannedAnswer
from tests.web.conftest import Web
from tests.web.sign_in.steps import words

pytestmark = pytest.mark.db
API = "/api/v1"
WORDS = "Pull the plug, quokka."


@pytest.fixture
def number(web: Web) -> int:
    return web.ticket(web.cast.carol, accepted=True)


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


def plan(web: Web, number: int, **more: Any) -> Any:
    """Alice's answer for tomorrow, by the API."""
    body = {"body": WORDS, "send_at": tomorrow(), "status": "waiting_customer"} | more
    return web.program(web.cast.alice).post(f"{API}/tickets/{number}/messages", json=body)


def waiting(web: Web) -> list[PlannedAnswer]:
    with web.desk.db.transaction() as s:
        return list(s.scalars(select(PlannedAnswer)))


def let_it_be_time(web: Web) -> None:
    with web.desk.db.transaction() as s:
        s.execute(update(PlannedAnswer).values(due_at=database_now(s)))
    assert planned.process_one(web.desk.db)


def replies(web: Web) -> list[Letter]:
    with web.desk.db.transaction() as s:
        return list(s.scalars(select(Letter).where(Letter.kind == Kind.REPLY)))


def test_a_program_plans_reads_and_takes_back(web: Web, number: int) -> None:
    made = plan(web, number)
    assert made.status_code == 202
    alice, at = web.program(web.cast.alice), f"{API}/tickets/{number}/planned"
    [one] = alice.get(at).json()["items"]
    assert one == made.json()
    assert (one["text"], one["status"], one["problem"], one["author"]["name"]) == (WORDS, "waiting_customer", None, "Alice")
    assert alice.delete(f"{at}/{one['id']}").json() == one
    assert alice.get(at).json() == {"items": [], "next": None}
    assert alice.delete(f"{at}/{one['id']}").status_code == 404
    assert web.said(number) == [("It smokes.", False)]
    assert replies(web) == []


def test_a_program_sends_at_once_what_was_planned(web: Web, number: int) -> None:
    id = plan(web, number).json()["id"]
    sent = web.program(web.cast.bob).post(f"{API}/tickets/{number}/planned/{id}/sending")
    assert (sent.status_code, sent.json()["text"], sent.json()["author"]["name"]) == (201, WORDS, "Alice")
    assert web.said(number)[-1] == (WORDS, False)
    assert web.status(number) == "waiting_customer"
    assert len(replies(web)) == 1
    assert waiting(web) == []


def test_without_a_time_a_program_answers_at_once(web: Web, number: int) -> None:
    said = web.program(web.cast.alice).post(f"{API}/tickets/{number}/messages", json={"body": "Now."})
    assert said.status_code == 201
    assert web.said(number)[-1] == ("Now.", False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"internal": True, "status": None}, 422),
        ({"send_at": "2020-01-01T00:00:00Z"}, 422),
        ({"send_at": "2099-01-01T00:00:00Z"}, 422),
        ({"send_at": "tomorrow"}, 422),
        ({"send_at": "2027-01-01T00:00:00"}, 422),
        ({"status": "closed"}, 409),
        ({"undo_seconds": 5}, 422),
    ],
)
def test_a_program_is_told_what_can_not_be_planned(web: Web, number: int, body: dict[str, Any], status: int) -> None:
    assert plan(web, number, **body).status_code == status
    assert waiting(web) == []


@pytest.mark.parametrize("who", ["carol", "dave", "frank", "mallory"])
def test_customers_plan_nothing_and_find_nothing(web: Web, number: int, who: str) -> None:
    id = plan(web, number).json()["id"]
    person = getattr(web.cast, who)
    program, at = web.program(person), f"{API}/tickets/{number}"
    body = {"body": "x", "send_at": tomorrow()}
    assert program.post(f"{at}/messages", json=body).status_code in {403, 404}
    for method, path in (("GET", "planned"), ("DELETE", f"planned/{id}"), ("POST", f"planned/{id}/sending")):
        assert program.request(method, f"{at}/{path}").status_code in {403, 404}
    assert len(waiting(web)) == 1


def test_no_door_shows_it_to_its_customer_before_its_time(web: Web, number: int) -> None:
    program, browser = web.program(web.cast.carol), web.browser(web.cast.carol)

    def doors() -> list[Any]:
        paths = ("", "/messages", "?expand=messages", "/attachments")
        told = [words(program.get(f"{API}/tickets/{number}{path}")) for path in paths]
        told += [words(program.get(f"{API}/{path}")) for path in ("search?q=quokka", "tickets.csv", "tickets")]
        return [*told, browser.page(f"/my/tickets/{number}").text]

    before = doors()
    plan(web, number)
    assert doors() == before
    assert not any("quokka" in door for door in before)
    let_it_be_time(web)
    after = doors()
    assert sum("quokka" in door for door in after) >= 3


def test_staff_do_not_find_it_by_search_either_but_see_it_on_the_ticket(web: Web, number: int) -> None:
    plan(web, number)
    assert str(number) not in web.program(web.cast.alice).get(f"{API}/search?q=quokka").json()["items"]
    shown = web.browser(web.cast.bob).page(f"/tickets/{number}")
    assert WORDS in shown.text
    assert "No customer sees it yet." in shown.text
    assert "Then the ticket is waiting for customer." in shown.text
    assert "Alice wrote an answer that goes out later" in " ".join(shown.text.split())


def test_an_agent_of_another_team_finds_none(web: Web, number: int) -> None:
    web.to_team(number, web.cast.billing)
    with web.desk.db.transaction() as s:
        web_id = s.scalar(select(PlannedAnswer.id))
    assert web_id is None
    assert web.program(web.cast.alice).get(f"{API}/tickets/{number}/planned").status_code == 404


def answer(web: Web, number: int, **typed: Any) -> Any:
    at = f"/tickets/{number}"
    return web.browser(web.cast.alice).submit(at, f"{at}/messages", having="answer", **({"text": WORDS} | typed))


def test_an_answer_from_the_page_can_be_undone_for_ten_seconds(web: Web, number: int) -> None:
    sent = answer(web, number, then="resolved")
    [one] = waiting(web)
    assert sent.headers["location"] == f"/tickets/{number}#planned-{one.id}"
    assert one.due_at
    assert one.due_at - one.created_at == timedelta(seconds=10)
    browser, at = web.browser(web.cast.alice), f"/tickets/{number}"
    shown = browser.page(at)
    assert "Goes out within a minute." in shown.text
    assert "Undo" in shown.text
    back = browser.fill(shown, f"{at}/planned/{one.id}/withdrawal")
    assert back.status_code == 200
    assert "The answer was taken back; nothing was sent." in back.text
    assert f"\n{WORDS}</textarea>" in back.text
    assert '<option value="resolved" selected>' in back.text
    assert waiting(web) == []
    assert web.said(number) == [("It smokes.", False)]
    again = browser.fill(shown, f"{at}/planned/{one.id}/withdrawal")
    assert (again.status_code, "has gone out, or was taken back" in again.text) == (404, True)


def test_not_undone_it_goes_out_with_its_files_and_moves_the_ticket(web: Web, number: int) -> None:
    answer(web, number, then="resolved", files=[("files", ("plan.txt", b"abc", "text/plain"))])
    shown = web.browser(web.cast.alice).page(f"/tickets/{number}").text
    assert "plan.txt" in shown
    assert web.status(number) == "accepted"
    let_it_be_time(web)
    assert web.said(number)[-1] == (WORDS, False)
    assert web.status(number) == "resolved"
    [file] = web.program(web.cast.carol).get(f"{API}/tickets/{number}/attachments").json()["items"]
    assert file["name"] == "plan.txt"


def test_files_of_what_was_taken_back_are_named(web: Web, number: int) -> None:
    answer(web, number, files=[("files", ("plan.txt", b"abc", "text/plain"))])
    browser, at = web.browser(web.cast.alice), f"/tickets/{number}"
    back = browser.submit(at, f"{at}/planned/{waiting(web)[0].id}/withdrawal")
    assert "Its files have to be attached again: plan.txt." in back.text


def test_the_page_sends_later_at_the_desks_own_time(web: Web, number: int) -> None:
    at = datetime.now(UTC).replace(second=0, microsecond=0, tzinfo=None) + timedelta(days=2)
    answer(web, number, send_at=at.isoformat(timespec="minutes"))
    [one] = waiting(web)
    assert one.due_at == at.replace(tzinfo=UTC)
    shown = web.browser(web.cast.alice).page(f"/tickets/{number}").text
    assert "Take back" in shown
    assert "Undo" not in shown
    assert f"Goes out at {at:%-d %b %Y, %H:%M}" in " ".join(shown.split())


@pytest.mark.parametrize("typed", ["soon", "2020-01-01T10:00", "2099-01-01T10:00"])
def test_a_time_that_will_not_do_is_refused_and_the_words_are_kept(web: Web, number: int, typed: str) -> None:
    refused = answer(web, number, send_at=typed)
    assert refused.status_code == 422
    assert f"\n{WORDS}</textarea>" in refused.text
    assert f'value="{typed}"' in refused.text
    assert waiting(web) == []


def test_the_page_sends_at_once_what_waits(web: Web, number: int) -> None:
    answer(web, number)
    browser, at = web.browser(web.cast.bob), f"/tickets/{number}"
    sent = browser.submit(at, f"{at}/planned/{waiting(web)[0].id}/sending")
    assert sent.status_code == 303
    assert web.said(number)[-1] == (WORDS, False)


def test_the_page_says_that_the_customer_has_written_since(web: Web, number: int) -> None:
    answer(web, number)
    browser, at = web.browser(web.cast.alice), f"/tickets/{number}"
    assert "The customer has written since." not in browser.page(at).text
    assert web.program(web.cast.carol).post(f"{API}/tickets/{number}/messages", json={"body": "Hurry"}).is_success
    assert "The customer has written since." in browser.page(at).text
    assert len(waiting(web)) == 1


def test_what_could_not_go_out_says_so_on_the_page_and_to_programs(web: Web, number: int) -> None:
    answer(web, number)
    program, at = web.program(web.cast.bob), f"/tickets/{number}"
    assert program.post(f"{API}{at}/status", json={"status": "cancelled"}).is_success
    let_it_be_time(web)
    shown = web.browser(web.cast.bob).page(at)
    assert "Not sent: This ticket is cancelled; it can't be answered any more." in shown.text
    [one] = program.get(f"{API}{at}/planned").json()["items"]
    assert one["send_at"] is None
    assert one["problem"].startswith("This ticket is cancelled")
    refused = web.browser(web.cast.bob).submit(at, f"{at}/planned/{one['id']}/sending")
    assert (refused.status_code, "can't be answered any more" in refused.text) == (409, True)
    back = web.browser(web.cast.bob).submit(at, f"{at}/planned/{one['id']}/withdrawal")
    assert f"\n{WORDS}</textarea>" in back.text


def test_what_waited_on_a_merged_ticket_comes_back_where_the_conversation_is(web: Web, number: int) -> None:
    other = web.ticket(web.cast.carol, accepted=True)
    answer(web, number)
    merged = web.program(web.cast.bob).post(f"{API}/tickets/{number}/merge", json={"into": other})
    assert merged.is_success
    browser = web.browser(web.cast.alice)
    at = f"/tickets/{number}/planned/{waiting(web)[0].id}/withdrawal"
    back = browser.submit(f"/tickets/{other}", at)
    assert f'action="/tickets/{other}/messages"' in back.text
    assert f"\n{WORDS}</textarea>" in back.text


def test_a_note_is_kept_at_once(web: Web, number: int) -> None:
    at = f"/tickets/{number}"
    kept = web.browser(web.cast.alice).submit(at, f"{at}/messages", having="note", text="Between us")
    assert kept.status_code == 303
    assert web.said(number)[-1] == ("Between us", True)
