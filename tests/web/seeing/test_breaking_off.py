"""A download that goes on after the door has closed ends with the session or the token that it was asked for with."""

import csv
import io
import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from app.accounts import sessions
from app.accounts.models import Membership, Person
from app.audit import queries
from app.db.session import Session
from app.db.session import now as database_now
from app.tickets.search import listing
from tests.web.conftest import Web

pytestmark = pytest.mark.db
TICKETS, LINES, TABLE = "/api/v1/tickets.csv", "/api/v1/audit/export", "/api/v1/audit/export?format=csv"


def after_some_pieces(monkeypatch: pytest.MonkeyPatch, module: object, name: str, then: Callable[[], None]) -> list[int]:
    """`then` happens after the second piece was read."""
    read, pieces = getattr(module, name), []

    def counted(*given: object, **more: object) -> object:
        found = read(*given, **more)
        pieces.append(1)
        if len(pieces) == 2:
            then()
        return found

    monkeypatch.setattr(module, name, counted)
    return pieces


def test_it_breaks_off_at_the_next_piece_and_says_so_in_the_log(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(12):
        web.ticket(web.cast.carol)
    monkeypatch.setattr("app.web.api.exports.PAGE", 2)
    monkeypatch.setattr("app.audit.queries.PAGE", 5)
    caplog.set_level(logging.WARNING)

    def with_token() -> TestClient:
        program = web.program()
        program.headers["Authorization"] = "Bearer " + web.api_token(web.cast.root, ["tickets:read", "audit:read"])
        return program

    def ends(s: Session, root: Person) -> None:
        sessions.end_all(s, root.id, now=database_now(s), tokens=True)

    for path, module, name in ((TICKETS, listing, "listing"), (LINES, queries, "page"), (TABLE, queries, "page")):
        for token in (False, True):
            program = with_token() if token else web.program(web.cast.root)
            whole = len(program.get(path).text.splitlines())
            caplog.clear()
            with monkeypatch.context() as patch:
                pieces = after_some_pieces(patch, module, name, lambda: _done(web, ends))
                part = len(program.get(path).text.splitlines())
            assert len(pieces) == 2, path
            assert 1 < part < whole, path
            assert "a download was broken off" in caplog.text, path
            assert program.get(path).status_code == 401


def test_it_goes_on_with_what_one_may_see_by_then(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = [web.ticket(web.cast.carol) for _ in range(8)]
    for number in mine:
        web.to_team(number, web.cast.billing)
    monkeypatch.setattr("app.web.api.exports.PAGE", 2)

    def leaves(s: Session, erin: Person) -> None:
        s.delete(s.get_one(Membership, (web.cast.billing.id, erin.id)))

    after_some_pieces(monkeypatch, listing, "listing", lambda: _done(web, leaves, web.cast.erin))
    answer = web.program(web.cast.erin).get(TICKETS)
    assert len(list(csv.reader(io.StringIO(answer.text)))) == 1 + 4


def _done(web: Web, work: Callable[[Session, Person], None], who: Person | None = None) -> None:
    with web.desk.db.transaction() as s:
        work(s, s.get_one(Person, (who or web.cast.root).id))
