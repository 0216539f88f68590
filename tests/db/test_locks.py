"""The locks that a process holds for long: all on one connection, and gone with it."""

import time

import psycopg
import pytest

from app.db import locks
from app.db.locks import Keeper
from app.db.session import Database, DatabaseGone
from tests.mail.imap_server import eventually


@pytest.fixture
def keeper(database: Database) -> Keeper:
    return Keeper(database.dsn, name="first")


def test_nobody_else_gets_what_is_held_and_everybody_what_was_let_go(database: Database, keeper: Keeper) -> None:
    other = Keeper(database.dsn, name="second")
    with keeper.trying("a") as mine, other.trying("a") as theirs, keeper.trying("a") as again, other.trying("b") as b:
        assert (mine is None, theirs, again, b is None) == (False, None, None, False)
        mine.check()  # type: ignore[union-attr]
    with other.trying("a") as theirs:
        assert theirs is not None


def test_a_hundred_cost_one_connection(database: Database, keeper: Keeper) -> None:
    held = [keeper.trying(str(n)) for n in range(100)]
    assert all(each.__enter__() for each in held)
    with psycopg.connect(database.dsn) as c:
        [[connections]] = c.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'first'").fetchall()
    assert connections == 1
    for each in held:
        each.__exit__(None, None, None)
    assert keeper._connection is None


def test_a_process_that_gives_no_sign_of_life_loses_all_after_two_minutes(keeper: Keeper) -> None:
    assert locks.LEASE == 120 > 3 * locks.RENEW
    with keeper.trying("a"):
        assert keeper._connection
        assert keeper._connection.execute("SHOW idle_session_timeout").fetchone() == ("2min",)


def test_one_that_gives_signs_of_life_keeps_them(database: Database, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LEASE", 1)
    monkeypatch.setattr(locks, "RENEW", 0.1)
    other = Keeper(database.dsn, name="second")
    with keeper.trying("a") as lock:
        assert lock
        for _ in range(25):
            keeper.renew()
            time.sleep(0.1)
        lock.check()
        with other.trying("a") as theirs:
            assert theirs is None
        eventually(lambda: taken(other), within=20)
        with pytest.raises(DatabaseGone):
            lock.check()


def test_a_broken_connection_loses_all_and_tells_so(database: Database, keeper: Keeper) -> None:
    with keeper.trying("a") as lock:
        with psycopg.connect(database.dsn, autocommit=True) as c:
            c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'first'")
        for _ in range(2):
            with pytest.raises(DatabaseGone):
                lock.check()  # type: ignore[union-attr]
        with keeper.trying("a") as anew:
            assert anew is not None
            with pytest.raises(DatabaseGone):
                lock.check()  # type: ignore[union-attr]


def taken(keeper: Keeper) -> bool:
    with keeper.trying("a") as lock:
        return lock is not None
