"""The desk to try."""

import logging
from dataclasses import replace

import pytest

from app.audit import verifying
from app.audit.seal import Seal
from app.ops import demo
from app.tickets.rules import Status
from tests.cast import PASSWORD
from tests.web.conftest import Web

STAFF_AND_CUSTOMERS = ("admin", "bruno", "alina", "tomas", "ingrid", "lars", "omar", "dina")


def test_it_has_tickets_in_every_status_and_an_unbroken_audit(web: Web) -> None:
    demo.fill(web.desk.db, web.desk.settings)

    with web.desk.db.reading() as c:
        statuses = set(c.exec_driver_sql("SELECT DISTINCT status FROM ticket").scalars())
        addresses = c.exec_driver_sql("SELECT to_address FROM outbox").scalars().all()
    with web.desk.db.transaction() as s:
        broken = verifying.database(s.connection(), Seal(bytes(32)).public).verdict.first_bad_row
    assert statuses == {status.value for status in Status}
    assert addresses
    assert all(address.endswith(".example") for address in addresses)
    assert broken is None


def test_it_tells_whom_to_sign_in_as_and_the_pages_show_it(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "demo"):
        demo.fill(web.desk.db, replace(web.desk.settings, admin_password=PASSWORD))

    told = [record.getMessage() for record in caplog.records]
    assert "DEMO" in told[0]
    assert "https://localhost" in told[0]
    assert all(any(name in line and PASSWORD in line for line in told) for name in STAFF_AND_CUSTOMERS)
    browser = web.browser()
    browser.submit("/sign-in", "/sign-in", email="alina@desk.example", password=PASSWORD)
    words = browser.page("/tickets").text
    assert "Press 3 stops with error E-17" in words
    assert "late by" in words


def test_a_desk_that_has_tickets_is_left_as_it_is(web: Web) -> None:
    web.ticket(web.cast.carol)
    counted = "SELECT (SELECT count(*) FROM ticket), (SELECT count(*) FROM person)"
    with web.desk.db.reading() as c:
        before = c.exec_driver_sql(counted).one()

    demo.fill(web.desk.db, web.desk.settings)

    with web.desk.db.reading() as c:
        assert c.exec_driver_sql(counted).one() == before


def test_filling_it_twice_changes_nothing(web: Web) -> None:
    demo.fill(web.desk.db, web.desk.settings)
    with web.desk.db.reading() as c:
        before = c.exec_driver_sql("SELECT count(*) FROM audit_event").scalar()

    demo.fill(web.desk.db, web.desk.settings)

    with web.desk.db.reading() as c:
        assert c.exec_driver_sql("SELECT count(*) FROM audit_event").scalar() == before
