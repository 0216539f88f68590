"""The worker's real loop, in a thread, on clocks that are really committed."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import select, update

from app import config
from app.core import log as logs
from app.db.bell import Bell
from app.db.session import Database, DatabaseGone
from app.db.session import now as database_now
from app.entry.loop import Worker
from app.entry.sla_worker import Recheck, Watch
from app.sla import actions, policies, queries
from app.sla.models import Clock, Happening
from app.sla.rules import Moment
from tests.db.sla.known import URGENT

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
T = TypeVar("T")

pytestmark = pytest.mark.db


@pytest.fixture
def me(desk: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker that may be run in a thread: signals and the log's form belong to the main program."""
    monkeypatch.setattr(logs, "start", lambda *_: None)
    monkeypatch.setattr(Worker, "listen_for_signals", lambda _: None)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "ready").touch()
    return Worker("sla-worker", config.load({"DATABASE_URL": desk.dsn, "RUN_DIR": str(tmp_path)}))


@pytest.fixture
def running(me: Worker) -> Iterator[Worker]:
    """The loop, going round."""
    watch = Watch(me)
    thread = threading.Thread(target=me.run, args=(watch.round,))
    thread.start()
    yield me
    me.stop.set()
    thread.join(10)
    assert not thread.is_alive()
    watch.close()


def accept(desk: Database, ticket: int, *, ago: timedelta) -> None:
    with desk.transaction() as s:
        actions.happened(s, ticket, Moment.ACCEPTED, at=database_now(s) - ago, facts=URGENT)


def breach(desk: Database, ticket: int) -> Happening | None:
    told = select(Happening).join(Clock, Clock.id == Happening.clock_id)
    with desk.transaction() as s:
        return s.scalar(told.where(Clock.ticket == ticket, Happening.kind == "breach"))


def until(look: Callable[[], T], *, seconds: float) -> T:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


FOUND = " FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s"
COUNTED, ENDED = "SELECT count(*)" + FOUND, "SELECT count(pg_terminate_backend(pid))" + FOUND


def backends(desk: Database, like: str, *, end: bool = False) -> int:
    """How many connections of the worker there are; `end` breaks them, which takes the server's owner."""
    with psycopg.connect(desk.dsn) as c:
        row = c.execute(ENDED if end else COUNTED, [like]).fetchone()
    assert row is not None
    return int(row[0])


def test_a_missed_deadline_is_noticed_within_two_seconds(desk: Database, running: Worker) -> None:
    accept(desk, 1, ago=HOUR - 1.5 * SECOND)
    found = until(lambda: breach(desk, 1), seconds=10)
    assert found is not None
    assert timedelta(0) <= found.detected_at - found.at < 2 * SECOND


def test_promises_that_changed_wait_for_no_letters(desk: Database, me: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are to be told, here without end, open clocks are reckoned again beside it."""
    accept(desk, 1, ago=SECOND)
    with desk.transaction() as s:
        policy = policies.held(s, queries.policies(s)[0].id)
        policies.change(s, policy, {"targets": {"resolution": {"urgent": 7200}}}, by=(7, "Bob"), now=database_now(s))
    left = iter(range(50, 0, -1))

    def old() -> bool:
        with desk.transaction() as s:
            return 1 in s.scalars(select(Clock.policy_version).where(Clock.ticket == 1)).all()

    monkeypatch.setattr(Watch, "_tell", lambda _: next(left, 0) if old() else 0)
    watch = Watch(me)
    watch.round()
    watch.close()
    assert next(left, 0) > 40


def test_what_is_committed_rings_the_bell_at_once(desk: Database) -> None:
    bell = Bell(desk.dsn, actions.WAKE, name="test")
    bell.hang()
    accept(desk, 1, ago=2 * HOUR)
    began = time.monotonic()
    bell.wait(20)
    rang = time.monotonic()
    bell.wait(0.2)
    assert rang - began < 2
    assert time.monotonic() - rang >= 0.2
    bell.take_down()


def test_the_database_being_gone_is_said_in_the_desks_own_words() -> None:
    with pytest.raises(DatabaseGone):
        Bell("postgresql://nobody@127.0.0.1:1/nothing", actions.WAKE, name="test").hang()


def test_it_listens_again_after_its_connection_broke(desk: Database, running: Worker) -> None:
    assert until(lambda: backends(desk, "sla-worker bell", end=True), seconds=5) == 1
    accept(desk, 1, ago=2 * HOUR)
    assert until(lambda: breach(desk, 1), seconds=5) is not None
    assert until(lambda: backends(desk, "sla-worker bell"), seconds=5) == 1


def test_it_goes_on_by_itself_after_the_database_was_gone(desk: Database, running: Worker) -> None:
    assert until(lambda: backends(desk, "sla-worker%") == 2, seconds=5)
    assert backends(desk, "sla-worker%", end=True) == 2
    accept(desk, 1, ago=2 * HOUR)
    assert until(lambda: breach(desk, 1), seconds=10) is not None


def test_it_shows_that_it_is_alive(running: Worker, tmp_path: Path) -> None:
    assert until((tmp_path / "app" / "heartbeat" / "sla-worker").exists, seconds=5)


def test_the_re_check_reports_a_row_that_differs_once_and_does_not_mend_it(
    desk: Database, caplog: pytest.LogCaptureFixture
) -> None:
    accept(desk, 1, ago=HOUR / 2)
    with desk.transaction() as s:
        wrong = database_now(s) + 99 * HOUR
        s.execute(update(Clock).where(Clock.metric == "resolution").values(due_at=wrong))
    recheck = Recheck(desk, 0)
    with caplog.at_level(logging.ERROR):
        for _ in range(4):
            recheck.step()
    reports = [r for r in caplog.records if r.getMessage() == "a clock differs from its replay"]
    assert [(vars(r)["ticket"], vars(r)["metric"], vars(r)["differing"][0][0]) for r in reports] == [(1, "resolution", "due_at")]
    with desk.transaction() as s:
        assert s.scalar(select(Clock.due_at).where(Clock.metric == "resolution")) == wrong


def test_the_re_check_finds_nothing_to_say_about_clocks_that_were_let_alone(
    desk: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for ticket in range(20):
        accept(desk, ticket, ago=ticket * HOUR / 4)
    for moment in (Moment.PAUSED, Moment.RESUMED, Moment.PAUSED):
        with desk.transaction() as s:
            actions.happened(s, 3, moment, at=database_now(s), facts=URGENT)
    recheck = Recheck(desk, 0)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            recheck.step()
    assert caplog.records == []
