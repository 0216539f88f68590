"""Saying that one looks after a deadline: on the page, by the API and by the link in a letter. Customers see nothing of it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from app.outbox.house import house, one_time_token
from app.outbox.models import Letter
from app.sla.models import Clock, Escalation
from app.tickets import deadlines, escalating
from tests.web.conftest import Web

API = "/api/v1"
DAY = timedelta(days=1)

pytestmark = pytest.mark.db


@pytest.fixture
def number(web: Web) -> int:
    """Carol's ticket, to which nobody answered in time; Bob was told."""
    made = web.ticket(web.cast.carol, accepted=True)
    with web.desk.db.transaction() as s:
        columns = {column: column - DAY for column in (Clock.started_at, Clock.anchor_at, Clock.due_at)}
        late = update(Clock).where(Clock.ticket == made, Clock.metric == "first_response")
        s.execute(late.values({**columns, Clock.next_at: func.now()}))
        deadlines.process_due(s)
        escalating.tell_due(s, house(web.desk.settings, web.desk.signer), UTC)
    return made


def link(web: Web) -> str:
    with web.desk.db.transaction() as s:
        [letter] = s.scalars(select(Letter).where(Letter.dedupe_key.startswith("ladder:")))
    return f"/acknowledge/{one_time_token(web.desk.signer, letter.mail_id)}"


def acknowledged_by(web: Web) -> str | None:
    with web.desk.db.transaction() as s:
        return s.scalars(select(Escalation.acknowledged_by)).one()


def test_looking_at_the_link_changes_nothing_and_shows_a_button_that_does(web: Web, number: int) -> None:
    for browser in (web.browser(), web.browser(web.cast.alice)):
        assert f"Do you look after ticket {number}?" in browser.page(link(web)).text
    assert web.program().head(link(web)).status_code in {200, 405}
    assert acknowledged_by(web) is None
    answers = [web.browser().submit(link(web), link(web)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert acknowledged_by(web) == "Bob <bob@desk.example>"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_none_of_ours_leads_nowhere(web: Web, number: int, method: str) -> None:
    path = link(web)
    for wrong in (f"/acknowledge/{number}", path[:-4] + "aaaa", path + "a"):
        assert web.program().request(method, wrong).status_code == 404
    assert acknowledged_by(web) is None


def test_the_page_says_who_was_told_and_has_a_button(web: Web, number: int) -> None:
    alice, path = web.browser(web.cast.alice), f"/tickets/{number}"
    assert "first response at 100%, 1 time" in alice.page(path).text
    assert alice.submit(path, f"{path}/acknowledgement").status_code == 303
    assert acknowledged_by(web) == "Alice <alice@desk.example>"
    shown = alice.page(path).text
    assert "acknowledged by Alice" in shown
    assert "I look after it" not in shown


def test_programs_read_the_evidence_and_acknowledge(web: Web, number: int) -> None:
    alice, path = web.program(web.cast.alice), f"{API}/tickets/{number}/sla"
    [told] = alice.get(f"{path}/escalations").json()["items"]
    assert (told["state"], told["times"], told["notices"][0]["to"]) == ("told", 1, "bob@desk.example")
    said = (told["planned_at"], told["detected_at"], told["notices"][0]["sent_at"])
    planned, detected, sent = map(datetime.fromisoformat, said)
    assert planned < detected <= sent
    assert alice.post(f"{path}/acknowledgements").json() == {"steps": 1}
    assert alice.post(f"{path}/acknowledgements").json() == {"steps": 0}
    assert acknowledged_by(web) == "Alice <alice@desk.example>"


@pytest.mark.parametrize("who", ["carol", "dave", "mallory"])
def test_customers_see_nothing_of_who_was_told(web: Web, number: int, who: str) -> None:
    person = getattr(web.cast, who)
    path = f"{API}/tickets/{number}/sla"
    assert web.program(person).get(f"{path}/escalations").status_code in {403, 404}
    assert web.program(person).post(f"{path}/acknowledgements").status_code in {403, 404}
    assert web.program(person).get(f"{API}/sla/lateness").status_code == 403
    assert acknowledged_by(web) is None
    if who != "mallory":
        assert "bob@desk.example" not in web.program(person).get(path).text


def test_how_late_deadlines_are_noticed_is_told_to_the_staff(web: Web, number: int) -> None:
    found = web.program(web.cast.alice).get(f"{API}/sla/lateness", params={"days": 1}).json()
    assert (found["count"], found["buckets"][0]) == (1, {"at_most_ms": 10, "count": 0})
    assert found["max_ms"] == pytest.approx(16 * 3_600_000, rel=0.01)
    assert web.program(web.cast.alice).get(f"{API}/sla/lateness", params={"days": 99}).status_code == 422
