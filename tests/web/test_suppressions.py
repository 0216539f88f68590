"""Addresses that get no more mail, for programs: listed page by page, and released."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.audit.models import Entry
from app.outbox.models import Cause, Suppression
from tests.web.conftest import Web

API = "/api/v1/suppressions"
DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def rows(web: Web) -> list[str]:
    """The addresses, the last suppressed first; two of the same moment, and one that only failed once."""
    days = {"d@acme.example": 3, "b+1@acme.example": 2, "c@acme.example": 2, "a/b@acme.example": 1}
    with web.desk.db.transaction() as s:
        for address, day in days.items():
            since = DAY + timedelta(days=day, microseconds=7)
            s.add(Suppression(address=address, cause=Cause.HARD, reason="550 5.1.1 nobody", days=1, since=since))
        s.add(Suppression(address="fine@acme.example", cause=Cause.SOFT, reason="full", days=1, since=None))
    return list(days)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_every_one_is_on_one_page(web: Web, rows: list[str], limit: int) -> None:
    program, found, cursor = web.program(web.cast.bob), [], ""
    while True:
        page = program.get(f"{API}?limit={limit}{cursor}").json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [one["address"] for one in found] == rows
    assert found[0] == {
        "address": "d@acme.example",
        "cause": "hard",
        "since": "2026-11-04T00:00:00.000007Z",
        "reason": "550 5.1.1 nobody",
    }


@pytest.mark.parametrize("cursor", ["x", "WyJ4IiwieCJd", "WyIyMDI2LTExLTAxIiwieCJd", "WzEsIngiXQ"])
def test_a_made_up_cursor_is_refused(web: Web, cursor: str) -> None:
    assert web.program(web.cast.bob).get(f"{API}?cursor={cursor}").status_code == 422


@pytest.mark.parametrize("address", ["b+1@acme.example", "B%2B1@ACME.example"])
def test_one_is_released_by_hand_and_that_is_recorded(web: Web, rows: list[str], address: str) -> None:
    program = web.program(web.cast.bob)
    assert program.delete(f"{API}/{address}").status_code == 204
    assert program.delete(f"{API}/{address}").status_code == 404
    assert len(program.get(API).json()["items"]) == len(rows) - 1
    with web.desk.db.transaction() as s:
        last = s.scalars(select(Entry).where(Entry.kind == "mail.unsuppressed")).one()
    assert last.actor == "Bob <bob@desk.example>"


@pytest.mark.parametrize("who", ["alice", "carol", "mallory"])
def test_only_managers_see_and_release_them(web: Web, rows: list[str], who: str) -> None:
    program = web.program(getattr(web.cast, who))
    assert program.get(API).status_code == program.delete(f"{API}/{rows[0]}").status_code == 403
    assert len(web.program(web.cast.bob).get(API).json()["items"]) == len(rows)
