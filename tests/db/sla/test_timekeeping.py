"""The time itself: when it is put, it is told once; what nobody was there to see is not told when it is stale."""

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from app.audit.models import Entry, Event
from app.core.priority import Priority
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.ops import timekeeper
from app.ops.timekeeper import Timekeeper
from app.sla import actions, timekeeping
from app.sla.models import Happening, HighWater
from app.sla.rules import Moment
from tests.db.sla.known import nothing_more, of

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.db


def steps(db: Database) -> list[float]:
    with db.transaction() as s:
        told = s.scalars(select(Entry).where(Entry.kind == Event.SLA_TIME_STEPPED).order_by(Entry.seq))
        return [entry.data["seconds"] for entry in told]


def mark(db: Database) -> HighWater:
    with db.transaction() as s:
        return s.get_one(HighWater, 1)


def put_mark(db: Database, at: Callable[[datetime], datetime]) -> None:
    """As if the latest time there was had been another one."""
    with db.transaction() as s:
        s.execute(update(HighWater).values(at=at(database_now(s))))


@pytest.fixture
def running(database: Database) -> Timekeeper:
    """A worker that has looked at the time once."""
    keeper = Timekeeper(database)
    keeper.step()
    return keeper


def test_the_latest_time_is_written_down(database: Database, running: Timekeeper) -> None:
    with database.transaction() as s:
        assert timedelta(0) <= database_now(s) - mark(database).at < 5 * SECOND


def test_a_clock_put_back_while_no_worker_ran_is_noticed_by_the_next_one_and_told_once(
    database: Database, running: Timekeeper, caplog: pytest.LogCaptureFixture
) -> None:
    put_mark(database, lambda now: now + HOUR)
    with database.reading() as c:
        behind = timekeeping.standing(c).behind
    assert behind
    assert HOUR - 5 * SECOND < behind <= HOUR
    for _ in range(2):
        Timekeeper(database).step()
    assert len(steps(database)) == 1
    assert -3601 < steps(database)[0] < -3595
    assert "the database's clock was put" in caplog.text
    with database.reading() as c:
        standing = timekeeping.standing(c)
    assert standing.behind is None
    assert standing.lately


def test_two_workers_that_see_the_same_step_tell_it_once(database: Database, machine: list[float]) -> None:
    keepers = [Timekeeper(database), Timekeeper(database)]
    for keeper in keepers:
        keeper.step()
    machine[0] += 3600  # while the database's clock stands where it was: it was put back by an hour
    for keeper in keepers:
        keeper.step()
    [told] = steps(database)
    assert -3601 < told < -3590
    machine[0] += 1
    for keeper in keepers:
        keeper.step()
    assert len(steps(database)) == 1


def test_an_old_step_does_not_hide_a_new_one(database: Database, machine: list[float]) -> None:
    keeper = Timekeeper(database)
    keeper.step()
    for _ in range(2):
        machine[0] += 3600
        keeper.step()
    assert len(steps(database)) == 2
    put_mark(database, lambda now: now + HOUR)
    Timekeeper(database).step()
    assert len(steps(database)) == 3


def test_looking_again_within_a_minute_writes_nothing(database: Database, machine: list[float]) -> None:
    keeper = Timekeeper(database)
    keeper.step()
    first = mark(database).at
    machine[0] += 1.5
    keeper.step()
    assert mark(database).at == first


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The machine's own clock, as a test sets it."""
    now = [1000.0]
    monkeypatch.setattr(timekeeper, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def outage(s: Session, now: datetime, *, since: timedelta) -> None:
    """Nobody looked at the clocks for so long, until now."""
    s.add(HighWater(id=1, at=now - since))
    s.flush()
    timekeeping.note(s, None, seen=None)


def told(s: Session) -> list[tuple[int, str]]:
    return [(row.threshold, row.kind) for row in s.execute(select(Happening.threshold, Happening.kind).order_by(Happening.id))]


def accept(s: Session, now: datetime, *, ago: timedelta) -> None:
    actions.happened(s, 1, Moment.ACCEPTED, at=now - ago, facts=of(Priority.MEDIUM))


@pytest.mark.usefixtures("standard")
def test_after_a_day_without_workers_what_was_missed_is_told_and_old_warnings_are_not(s: Session, now: datetime) -> None:
    accept(s, now, ago=60 * HOUR)  # answered within 8 h: missed; solved within 72 h: a warning was due 6 hours ago
    outage(s, now, since=24 * HOUR)
    fired = actions.fire_due(s, nothing_more)
    assert [(one.metric, one.kind) for one in fired] == [("first_response", "breach")]
    assert [t for t in told(s) if t[1] == "warning"] == []


@pytest.mark.usefixtures("standard")
def test_a_warning_of_the_last_hour_is_told_even_after_an_outage(s: Session, now: datetime) -> None:
    accept(s, now, ago=54.5 * HOUR)
    outage(s, now, since=24 * HOUR)
    assert ("resolution", "warning") in [(one.metric, one.kind) for one in actions.fire_due(s, nothing_more)]


@pytest.mark.usefixtures("standard")
def test_without_an_outage_a_warning_that_lies_back_is_told(s: Session, now: datetime) -> None:
    """As after a change of priority: the clock was looked at, and only now the warning lies where it lies."""
    accept(s, now, ago=60 * HOUR)
    outage(s, now, since=HOUR / 2)
    assert ("resolution", "warning") in [(one.metric, one.kind) for one in actions.fire_due(s, nothing_more)]
