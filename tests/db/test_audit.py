"""The chain of events: what was recorded can't be changed without being noticed."""

import contextlib
import threading
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from app.audit import actions as audit
from app.audit import checkpoints, queries, rules, verifying
from app.audit.models import Event
from app.audit.rules import Mark, Verdict
from app.audit.seal import Check, Seal
from app.core.errors import Invalid
from app.db.session import Database, Session
from app.db.session import now as database_now

SEAL = Seal(b"the secret key that this desk has")
DAY = timedelta(days=1)


def record(database: Database, count: int) -> None:
    for number in range(count):
        with database.transaction() as s:
            audit.record(s, Event.TICKET_NOTED, now=database_now(s), by=(1, "Älice"), ticket=7, number=number, words="ü €")


def checkpoint(database: Database, *, days: int = 0) -> bool:
    with database.transaction() as s:
        return checkpoints.make(s, SEAL, now=database_now(s) + days * DAY)


def verdict(database: Database, *, public: bytes = SEAL.public, kept: Iterable[Mark] = ()) -> Verdict:
    with database.reading() as c:
        return verifying.database(c, public, kept=kept).verdict


def broken(database: Database) -> int | None:
    return verdict(database).first_bad_row


def exported(database: Database) -> list[str]:
    with database.reading() as c:
        return list(verifying.export(c, SEAL.public))


def test_a_chain_that_nobody_touched_is_whole(database: Database) -> None:
    record(database, 5)
    assert verdict(database) == Verdict(5)


def test_what_is_rolled_back_leaves_no_entry(database: Database) -> None:
    with contextlib.suppress(RuntimeError), database.transaction() as s:
        audit.record(s, Event.TICKET_NOTED, now=database_now(s))
        raise RuntimeError
    record(database, 1)
    with database.reading() as c:
        assert [row["seq"] for row in queries.entries(c, upto=9)] == [1]


CHANGES = [
    "UPDATE audit_event SET actor = 'nobody' WHERE seq = 3",
    "DELETE FROM audit_event WHERE seq = 3",
    "TRUNCATE audit_event",
]
CHECKPOINTS = ["UPDATE audit_checkpoint SET seq = 1", "DELETE FROM audit_checkpoint", "TRUNCATE audit_checkpoint"]
POWERS = [
    "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    "DROP TABLE audit_event",
    "DROP TRIGGER audit_event_append_only ON audit_event",
    "DELETE FROM audit_head",
    "TRUNCATE ticket",
    "CREATE TABLE mine (id int)",
    "SET session_replication_role = replica",
    "UPDATE alembic_version SET version_num = '0001'",
]


@pytest.mark.parametrize("statement", [*CHANGES, *CHECKPOINTS, *POWERS])
def test_the_role_that_the_desk_works_as_may_not_change_what_was_recorded(database: Database, statement: str) -> None:
    record(database, 3)
    with database.engine.begin() as c, pytest.raises(ProgrammingError) as refused:
        c.execute(text(statement))
    assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
    assert verdict(database).rows == 3


@pytest.mark.parametrize("statement", [*CHANGES, *CHECKPOINTS])
def test_the_triggers_refuse_it_even_to_the_owner(database: Database, owner: Engine, statement: str) -> None:
    record(database, 3)
    checkpoint(database)
    with owner.begin() as c, pytest.raises(DBAPIError, match="append-only"):
        c.execute(text(statement))


def tamper(owner: Engine, change: Callable[[Connection], object]) -> None:
    with owner.begin() as c:
        c.execute(text("ALTER TABLE audit_event DISABLE TRIGGER ALL"))
        c.execute(text("ALTER TABLE audit_checkpoint DISABLE TRIGGER ALL"))
        change(c)


def tampered(database: Database, owner: Engine, change: str) -> int | None:
    record(database, 5)
    tamper(owner, lambda c: c.execute(text(change)))
    return broken(database)


@pytest.mark.parametrize(
    "edit",
    [
        "actor = 'nobody'",
        "actor_id = 2",
        "at = at + interval '1 microsecond'",
        "at = 'infinity'",
        "kind = 'ticket.closed'",
        "ticket = 8",
        "ticket = NULL",
        "data = '{}'",
        "data = data || '{\"number\": 2.0}'",
        "data = CAST('{\"number\": 1' || repeat('0', 5000) || '}' AS jsonb)",
        "data = CAST(repeat('[', 5000) || repeat(']', 5000) AS jsonb)",
        "hash = sha256('')",
        "before_hash = hash",
    ],
)
def test_an_owner_who_edits_a_row_is_found(database: Database, owner: Engine, edit: str) -> None:
    assert tampered(database, owner, f"UPDATE audit_event SET {edit} WHERE seq = 3") == 3


def test_an_owner_who_deletes_a_row_is_found(database: Database, owner: Engine) -> None:
    assert tampered(database, owner, "DELETE FROM audit_event WHERE seq = 2") == 2


def test_an_owner_who_deletes_the_first_row_is_found(database: Database, owner: Engine) -> None:
    assert tampered(database, owner, "DELETE FROM audit_event WHERE seq = 1") == 1


def test_an_owner_who_deletes_the_end_is_found(database: Database, owner: Engine) -> None:
    assert tampered(database, owner, "DELETE FROM audit_event WHERE seq >= 4") == 4


def test_an_owner_who_deletes_everything_is_found(database: Database, owner: Engine) -> None:
    assert tampered(database, owner, "DELETE FROM audit_event") == 1


def test_an_owner_who_moves_the_noted_end_is_found(database: Database, owner: Engine) -> None:
    assert tampered(database, owner, "UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_event WHERE seq = 3)") == 4


def test_an_owner_who_changes_the_order_is_found(database: Database, owner: Engine) -> None:
    def swap(c: Connection) -> None:
        for before, after in ((3, 99), (4, 3), (99, 4)):
            c.execute(text("UPDATE audit_event SET seq = :after WHERE seq = :before"), {"before": before, "after": after})

    record(database, 5)
    tamper(owner, swap)
    assert broken(database) == 3


def test_an_owner_who_cuts_the_end_off_and_moves_the_noted_end_is_found_by_the_checkpoint(
    database: Database, owner: Engine
) -> None:
    record(database, 5)
    checkpoint(database)

    def cut(c: Connection) -> None:
        c.execute(text("DELETE FROM audit_event WHERE seq > 3"))
        c.execute(text("UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_event WHERE seq = 3)"))

    tamper(owner, cut)
    assert broken(database) == 4


def make_anew(database: Database, owner: Engine) -> None:
    """Another history, whole in itself."""

    def forget(c: Connection) -> None:
        c.execute(text("DELETE FROM audit_event"))
        c.execute(text("UPDATE audit_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')"))

    tamper(owner, forget)
    record(database, 8)


def test_a_chain_made_anew_is_found_by_what_was_signed(database: Database, owner: Engine) -> None:
    record(database, 5)
    checkpoint(database)
    make_anew(database, owner)
    found = verdict(database)
    assert found.first_bad_row == 1
    assert "not those that were signed" in (found.reason or "")


def test_a_chain_and_checkpoints_made_anew_are_found_by_a_checkpoint_kept_elsewhere(database: Database, owner: Engine) -> None:
    record(database, 5)
    checkpoint(database)
    with database.reading() as c:
        kept = list(checkpoints.every(c))
    make_anew(database, owner)
    tamper(owner, lambda c: c.execute(text("DELETE FROM audit_checkpoint")))
    assert verdict(database).whole
    assert verdict(database, kept=kept).first_bad_row == 1


def test_a_forged_checkpoint_is_named_by_its_day(database: Database) -> None:
    record(database, 2)
    checkpoint(database)
    with database.transaction() as s:
        checkpoints.make(s, Seal(b"a secret key that Mallory made up"), now=database_now(s) + DAY)
    found = verdict(database)
    assert found.first_bad_row is None
    assert found.bad_checkpoint == date.today() + DAY  # noqa: DTZ011 (a whole day off would still be wrong)


def test_a_signature_holds_for_its_day_row_and_hash_alone(database: Database) -> None:
    record(database, 2)
    checkpoint(database)
    with database.reading() as c:
        (mark,) = checkpoints.every(c)
    check = Check(SEAL.public)
    assert check(mark)
    assert not check(Mark(mark.day + DAY, mark.seq, mark.hash, mark.signature))
    assert not check(Mark(mark.day, mark.seq + 1, mark.hash, mark.signature))
    assert not check(Mark(mark.day, mark.seq, bytes(32), mark.signature))


def test_there_is_one_checkpoint_a_day_whoever_tries(database: Database) -> None:
    record(database, 1)
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(checkpoint(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]
    assert checkpoint(database, days=1)
    assert verdict(database) == Verdict(1)


def test_an_export_is_checked_without_the_database(database: Database) -> None:
    record(database, 5)
    checkpoint(database)
    record(database, 1)
    lines = exported(database)
    assert verifying.file(iter(lines), SEAL.public).verdict == Verdict(6)
    assert verifying.file(iter(lines), None).verdict == Verdict(6)
    assert verifying.file(iter(lines[:-1]), SEAL.public).verdict.first_bad_row == 6
    assert verifying.file(iter([*lines[:4], *lines[5:]]), SEAL.public).verdict.first_bad_row == 3
    assert verifying.file(iter([line.replace("Älice", "Bob") for line in lines]), SEAL.public).verdict.first_bad_row == 1
    other = verifying.file(iter(lines), Seal(b"a key of somebody else, 32 bytes!").public).verdict
    assert other.bad_checkpoint is not None


@pytest.mark.parametrize("rubbish", [[], ["{}"], ["no json"], ['{"form": "atum-desk-audit-1"}'], ["[1]"]])
def test_what_is_no_export_is_refused_in_words(rubbish: list[str]) -> None:
    with pytest.raises(Invalid, match="not an export"):
        verifying.file(iter(rubbish), None)


def test_a_chain_that_grows_while_it_is_checked_is_not_called_broken(database: Database) -> None:
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            record(database, 5)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert all(verdict(database).whole for _ in range(20))
    finally:
        done.set()
        thread.join()


def test_entries_of_one_transaction_follow_each_other(s: Session, now: datetime) -> None:
    for _ in range(3):
        audit.record(s, Event.TICKET_NOTED, now=now, ticket=4_000_000)
    s.commit()
    seqs = [entry.seq for entry in queries.of_ticket(s, 4_000_000)]
    assert seqs == list(range(seqs[0], seqs[0] + 3))


def test_whoever_listens_is_told_the_last_entry_when_it_is_committed(database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as listener:
        listener.execute("LISTEN desk_events")
        with database.transaction() as s:
            audit.record(s, Event.TICKET_NOTED, now=database_now(s))
            audit.record(s, Event.TICKET_NOTED, now=database_now(s))
            s.flush()
            assert not list(listener.notifies(timeout=0.1))
        assert [told.payload for told in listener.notifies(timeout=5, stop_after=1)] == ["2"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters(categories=["Cs", "Cc", "L"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=ANYTHING, actor=st.text())
def test_whatever_is_recorded_is_read_back_as_it_was_hashed(database: Database, data: object, actor: str) -> None:
    with database.transaction() as s:
        audit.record(s, Event.TICKET_NOTED, now=database_now(s), by=(1, actor), data=data)
    with database.reading() as c:
        end = queries.end(c)
        (entry,) = [row for row in queries.entries(c, upto=end.seq) if row["seq"] == end.seq]
    assert entry["hash"] == rules.link(entry["before_hash"], entry)
