"""Rows written by hand are the session's as if its unit of work had written them, and the last statement goes with the COMMIT."""

import contextlib
from datetime import datetime

import psycopg
import pytest
from sqlalchemy import inspect, text

from app.accounts.models import Organization, Person
from app.accounts.rules import Role
from app.core.priority import Priority
from app.db import plain
from app.db.session import Database, Session, finish
from app.db.session import now as database_now
from app.tickets.models import Channel, Ticket
from app.tickets.rules import Status
from tests.cast import Cast


def a_ticket(requester: Person, now: datetime) -> Ticket:
    return Ticket(
        subject="Smoke",
        status=Status.NEW,
        priority=Priority.HIGH,
        channel=Channel.API,
        requester=requester,
        requester_id=requester.id,
        created_at=now,
        updated_at=now,
    )


def test_a_row_is_the_sessions_with_its_number_and_every_column(
    s: Session, cast: Cast, now: datetime, statements: list[str]
) -> None:
    ticket = a_ticket(cast.carol, now)
    plain.add(s, ticket)
    statements.clear()
    assert s.get(Ticket, ticket.number) is ticket
    assert (ticket.tags, ticket.fields, ticket.revision, ticket.closed_at, ticket.requester) == ([], {}, 1, None, cast.carol)
    assert statements == []
    assert not inspect(ticket).modified


def test_what_is_changed_afterwards_is_written_by_the_session(s: Session, cast: Cast, now: datetime) -> None:
    ticket = a_ticket(cast.carol, now)
    plain.add(s, ticket)
    ticket.status, ticket.tags = Status.ACCEPTED, ["vpn"]
    s.flush()
    s.expire(ticket)
    assert (ticket.subject, ticket.status, ticket.priority, ticket.tags) == ("Smoke", Status.ACCEPTED, Priority.HIGH, ["vpn"])


def test_what_waited_in_the_session_is_written_first(s: Session, cast: Cast, now: datetime) -> None:
    cast.carol.name = "Caroline"
    plain.add(s, a_ticket(cast.carol, now))
    assert (
        s.connection().execute(text("SELECT name FROM person WHERE id = :id"), {"id": cast.carol.id}).scalar_one() == "Caroline"
    )


def test_many_rows_are_one_statement(s: Session, now: datetime, statements: list[str]) -> None:
    s.connection()
    statements.clear()
    fresh = [{"name": name, "notes": "", "created_at": now} for name in ("One", "Two", "Three")]
    found = plain.write(s, Organization, fresh, then="RETURNING name")
    assert [name for (name,) in found] == ["One", "Two", "Three"]
    assert len(statements) == 1


def test_a_known_row_stays_as_the_session_has_it(s: Session, cast: Cast) -> None:
    cast.carol.name = "Caroline"
    assert plain.known(s, Person, id=cast.carol.id, name="Carol") is cast.carol
    assert cast.carol.name == "Caroline"


def test_what_a_query_did_not_ask_for_is_read_when_it_is_needed(s: Session, cast: Cast) -> None:
    id, email = cast.carol.id, cast.carol.email
    s.flush()
    s.expunge_all()
    light = plain.known(s, Person, id=id, name="Carol", role=Role.CUSTOMER)
    assert light.email == email


def test_a_last_statement_that_fails_takes_everything_back(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as s:
            s.add(Organization(name="Nobody's", notes="", created_at=database_now(s)))
            finish(s, "SELECT 1 / %(nothing)s::int", {"nothing": 0})

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail()
    with database.transaction() as s:
        assert s.query(Organization).filter_by(name="Nobody's").count() == 0


def test_a_last_statement_inside_of_a_savepoint_commits_nothing(database: Database) -> None:
    with contextlib.suppress(RuntimeError), database.transaction() as s:
        s.add(Organization(name="Nobody's", notes="", created_at=database_now(s)))
        with s.begin_nested():
            finish(s, "SELECT %(one)s::int", {"one": 1})
        raise RuntimeError
    with database.transaction() as s:
        assert s.query(Organization).filter_by(name="Nobody's").count() == 0
