"""What people are told who had to wait for somebody else, or for too long."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, event, text

from app.db.session import TookTooLong
from app.db.session import now as database_now
from app.tickets import merging
from app.tickets.holding import locked
from tests.web.conftest import Web

pytestmark = pytest.mark.db


def impatient(c: Connection) -> None:
    c.exec_driver_sql("SET LOCAL lock_timeout = '200ms'")


def test_who_waits_for_too_long_is_told_that_somebody_else_is_faster_and_not_that_the_database_is_gone(web: Web) -> None:
    number = web.ticket(web.cast.carol, accepted=True)
    carol, at = web.browser(web.cast.carol), f"/my/tickets/{number}"
    form = carol.page(at)
    with web.desk.db.transaction() as s:
        locked(s, [number])
        event.listen(web.desk.db.engine, "begin", impatient)
        answer = web.program(web.cast.bob).patch(f"/api/v1/tickets/{number}", json={"priority": "high"})
        page = carol.fill(form, f"{at}/messages", text="Hm")
    event.remove(web.desk.db.engine, "begin", impatient)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:atum-desk:problem:being-changed")
    assert (answer.headers["Retry-After"], page.headers.get("Retry-After")) == ("5", "5")
    for told in (answer.json()["detail"], page.text):
        assert "Somebody else is changing the same thing" in told
        assert "database" not in told
    assert web.program(web.cast.bob).patch(f"/api/v1/tickets/{number}", json={"priority": "high"}).status_code == 200


def test_a_statement_that_takes_too_long_is_called_so(web: Web) -> None:
    with pytest.raises(TookTooLong, match="longer than a request may"):
        _sleep_past_the_patience(web)


def _sleep_past_the_patience(web: Web) -> None:
    with web.desk.db.transaction() as s:
        s.execute(text("SET LOCAL statement_timeout = '50ms'"))
        s.execute(text("SELECT pg_sleep(5)"))


def test_a_customer_answers_what_is_merged_at_that_moment_and_no_two_wait_for_each_other(web: Web) -> None:
    """Both tickets' rows are wanted by two others while they are merged: the later is never held waiting for the earlier."""
    into, source = (web.ticket(web.cast.carol, accepted=True) for _ in range(2))
    browser = web.browser(web.cast.carol)
    browser.get(f"/my/tickets/{source}")

    def change_both() -> int:
        with web.desk.db.transaction() as s:
            found = locked(s, [into, source])
            time.sleep(0.3)
            return len(found)

    with ThreadPoolExecutor(2) as pool:
        with web.desk.db.transaction() as s:
            merging.merge(s, source, into, by=s.merge(web.cast.alice), now=database_now(s), reveal=True)
            others = pool.submit(change_both)
            said = pool.submit(browser.submit, f"/my/tickets/{source}", f"/my/tickets/{source}/messages", text="Hurry")
            time.sleep(1.0)
            assert not others.done()
            assert not said.done()
        assert others.result(timeout=20) == 2
        answer = said.result(timeout=20)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"/my/tickets/{into}#")
    assert ("Hurry", False) in web.said(into)
