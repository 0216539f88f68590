"""The chain of events: what was recorded can't be changed without being noticed."""

import contextlib
from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.audit import actions as audit
from app.audit import queries
from app.audit.models import Event
from app.db.session import Database, Session
from app.db.session import now as database_now


def record(database: Database, count: int) -> None:
    for number in range(count):
        with database.transaction() as s:
            audit.record(s, Event.TICKET_NOTED, now=database_now(s), by=(1, "Älice"), ticket=7, number=number, words="ü €")


def broken(database: Database) -> int | None:
    with database.transaction() as s:
        return queries.first_broken(s)


def test_a_chain_that_nobody_touched_is_whole(database: Database) -> None:
    record(database, 5)
    assert broken(database) is None


def test_what_is_rolled_back_leaves_no_entry(database: Database) -> None:
    with contextlib.suppress(RuntimeError), database.transaction() as s:
        audit.record(s, Event.TICKET_NOTED, now=database_now(s))
        raise RuntimeError
    record(database, 1)
    with database.transaction() as s:
        assert [row["seq"] for row in queries.whole(s)] == [1]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_event SET actor = 'nobody' WHERE seq = 3", "DELETE FROM audit_event WHERE seq = 3", "TRUNCATE audit_event"],
)
def test_the_database_refuses_to_change_what_was_recorded(database: Database, statement: str) -> None:
    record(database, 3)
    with database.engine.begin() as c, pytest.raises(DBAPIError, match="append-only"):
        c.execute(text(statement))


def tampered(database: Database, change: Callable[[Connection], object]) -> int | None:
    record(database, 5)
    with database.engine.begin() as c:
        c.execute(text("ALTER TABLE audit_event DISABLE TRIGGER ALL"))
        change(c)
    return broken(database)


def test_an_owner_who_edits_a_row_is_found(database: Database) -> None:
    assert tampered(database, lambda c: c.execute(text("UPDATE audit_event SET data = '{}' WHERE seq = 3"))) == 3


def test_an_owner_who_deletes_a_row_is_found(database: Database) -> None:
    assert tampered(database, lambda c: c.execute(text("DELETE FROM audit_event WHERE seq = 2"))) == 2


def test_an_owner_who_deletes_the_end_is_found(database: Database) -> None:
    assert tampered(database, lambda c: c.execute(text("DELETE FROM audit_event WHERE seq >= 4"))) == 4


def test_an_owner_who_changes_the_order_is_found(database: Database) -> None:
    def swap(c: Connection) -> None:
        for before, after in ((3, 99), (4, 3), (99, 4)):
            c.execute(text("UPDATE audit_event SET seq = :after WHERE seq = :before"), {"before": before, "after": after})

    assert tampered(database, swap) == 3


def test_entries_of_one_transaction_follow_each_other(s: Session, now: datetime) -> None:
    for _ in range(3):
        audit.record(s, Event.TICKET_NOTED, now=now, ticket=4_000_000)
    s.commit()
    seqs = [entry.seq for entry in queries.of_ticket(s, 4_000_000)]
    assert seqs == list(range(seqs[0], seqs[0] + 3))
