"""Sweeps: what is due is told once, whoever looks, and looking costs nothing while nothing is due."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select, text, update

from app.audit.models import Event
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.sla import actions, policies, queries, rebuild
from app.sla.models import Clock, Happening
from app.sla.rules import Metric, Moment
from tests.db.sla.known import URGENT, nothing_more

HOUR = timedelta(hours=1)
MANAGER = (7, "Bob <bob@desk.example>")

pytestmark = pytest.mark.db


@pytest.fixture
def urgent(s: Session, now: datetime, standard: None) -> dict[Metric, Clock]:
    """An urgent ticket accepted an hour ago: its first response falls due at this instant."""
    return accept(s, 1, at=now - HOUR)


def accept(s: Session, ticket: int, *, at: datetime) -> dict[Metric, Clock]:
    actions.happened(s, ticket, Moment.ACCEPTED, at=at, facts=URGENT)
    return {row.metric: row for row in s.scalars(select(Clock).where(Clock.ticket == ticket))}


def test_a_breach_is_told_once_with_its_due_time_and_its_arithmetic(
    s: Session, now: datetime, urgent: dict[Metric, Clock]
) -> None:
    fired = actions.fire_due(s, nothing_more)
    assert [(f.ticket, f.metric, f.kind, f.threshold) for f in fired] == [(1, "first_response", "breach", "100%")]
    assert (fired[0].due_at, fired[0].at, fired[0].detected_at) == (now, now, now)
    assert fired[0].explanation[-1].startswith("missed: was due ")
    assert actions.fire_due(s, nothing_more) == []


def test_what_was_noticed_late_is_recorded_at_the_due_time(s: Session, now: datetime, standard: None) -> None:
    first = accept(s, 1, at=now - 3 * HOUR)[Metric.FIRST_RESPONSE]
    actions.fire_due(s, nothing_more)
    event = s.scalars(select(Happening).where(Happening.clock_id == first.id, Happening.kind == "breach")).one()
    assert (event.at, event.detected_at) == (now - 2 * HOUR, now)
    assert (first.breached_at, first.state, first.next_at) == (now - 2 * HOUR, "breached_open", None)


def test_the_warning_below_a_breach_is_kept_as_skipped(s: Session, urgent: dict[Metric, Clock]) -> None:
    actions.fire_due(s, nothing_more)
    kept = s.execute(select(Happening.threshold, Happening.kind).order_by(Happening.threshold)).all()
    assert [tuple(row) for row in kept] == [("100%", "breach"), ("75%", "skipped")]


def test_a_warning_is_told_and_the_breach_is_waited_for(s: Session, now: datetime, standard: None) -> None:
    first = accept(s, 1, at=now - 50 * timedelta(minutes=1))[Metric.FIRST_RESPONSE]
    assert [(f.kind, f.threshold) for f in actions.fire_due(s, nothing_more)] == [("warning", "75%")]
    assert (first.next_at, first.next_threshold) == (now + timedelta(minutes=10), "100%")


def test_what_is_told_is_in_the_audit(s: Session, now: datetime, urgent: dict[Metric, Clock]) -> None:
    actions.fire_due(s, nothing_more)
    entry = s.info["audit"][-1]
    assert (entry["kind"], entry["ticket"], entry["at"]) == (Event.SLA_BREACHED, 1, now)
    assert entry["data"]["metric"] == "first_response"


def test_a_threshold_that_is_already_remembered_is_not_told_again(s: Session, now: datetime, urgent: dict[Metric, Clock]) -> None:
    first = urgent[Metric.FIRST_RESPONSE]
    s.add(Happening(clock_id=first.id, cycle=1, kind="breach", threshold="100%", rearm=0, at=now, detected_at=now, detail={}))
    s.flush()
    assert actions.fire_due(s, nothing_more) == []
    assert first.breached_at == now


def test_a_clock_under_an_outdated_promise_is_reckoned_again_before_it_may_be_missed(
    s: Session, now: datetime, urgent: dict[Metric, Clock]
) -> None:
    policy = queries.policies(s)[0]
    policies.change(s, policy, {"targets": {"first_response": {"urgent": 7200}}}, by=MANAGER, now=now)
    s.expire_all()
    assert actions.fire_due(s, nothing_more) == []
    first = urgent[Metric.FIRST_RESPONSE]
    assert (first.policy_version, first.due_at, first.breached_at) == (2, now + HOUR, None)


def test_a_shorter_promise_is_noticed_at_once(s: Session, now: datetime, standard: None) -> None:
    accept(s, 1, at=now - HOUR / 2)
    assert actions.fire_due(s, nothing_more) == []
    policy = queries.policies(s)[0]
    policies.change(s, policy, {"targets": {"first_response": {"urgent": 60}}}, by=MANAGER, now=now)
    assert rebuild.step(s, nothing_more)
    fired = actions.fire_due(s, nothing_more)
    assert [(f.kind, f.due_at) for f in fired] == [("breach", now - HOUR / 2 + timedelta(minutes=1))]


def test_a_clock_that_can_not_be_reckoned_is_put_off_and_holds_up_nobody(
    s: Session, now: datetime, urgent: dict[Metric, Clock], caplog: pytest.LogCaptureFixture
) -> None:
    accept(s, 2, at=now - 2 * HOUR)
    far = update(Clock).where(Clock.ticket == 1, Clock.metric == "first_response").values(consumed=text("interval '-9999 years'"))
    s.execute(far.values(next_at=now - 3 * HOUR, due_at=None, next_threshold="75%"))
    s.expire_all()
    assert [f.ticket for f in actions.fire_due(s, nothing_more)] == [2]
    assert urgent[Metric.FIRST_RESPONSE].next_at == now + HOUR
    assert "can't be reckoned" in caplog.text


def test_seconds_until_the_next_one_and_none_without_any(s: Session, now: datetime, standard: None) -> None:
    assert actions.seconds_until_next(s) is None
    accept(s, 1, at=now)
    assert actions.seconds_until_next(s) == 45 * 60


def test_a_ticket_being_changed_is_left_out_and_found_afterwards(desk: Database) -> None:
    with desk.transaction() as s:
        accept(s, 1, at=database_now(s) - 2 * HOUR)
    with desk.transaction() as busy:
        actions.happened(busy, 1, Moment.FACTS_CHANGED, at=database_now(busy), facts=URGENT)
        with desk.transaction() as s:
            assert actions.fire_due(s, nothing_more) == []
    with desk.transaction() as s:
        assert [f.kind for f in actions.fire_due(s, nothing_more)] == ["breach"]


def test_two_workers_never_tell_the_same(desk: Database) -> None:
    with desk.transaction() as s:
        for ticket in range(300):
            accept(s, ticket, at=database_now(s) - 2 * HOUR)
    told: list[int] = []
    ready = threading.Barrier(2)

    def sweep() -> None:
        ready.wait()
        while True:
            with desk.transaction() as s:
                fired = actions.fire_due(s, nothing_more, limit=7)
                told.extend(one.clock_id for one in fired)
            if not fired:
                return

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) == len(set(told)) == 300
    with desk.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Happening).where(Happening.kind == "breach")) == 300


def test_a_sweep_that_is_rolled_back_tells_it_again(desk: Database) -> None:
    with desk.transaction() as s:
        accept(s, 1, at=database_now(s) - 2 * HOUR)
    with desk.transaction() as s:
        assert len(actions.fire_due(s, nothing_more)) == 1
        s.rollback()
    with desk.transaction() as s:
        assert len(actions.fire_due(s, nothing_more)) == 1


def test_looking_for_what_is_due_reads_the_index_and_next_to_nothing(desk: Database) -> None:
    with desk.transaction() as s:
        accept(s, 0, at=database_now(s))
        pattern = s.scalars(select(Clock).where(Clock.metric == "resolution")).one()
        columns = [c for c in Clock.__table__.columns if c.name not in {"id", "ticket", "next_at"}]
        copies = select(
            *(c for c in columns), func.generate_series(1, 20_000), func.now() + text("interval '1 hour' * random()")
        ).where(Clock.id == pattern.id)
        s.execute(insert(Clock).from_select([*(c.name for c in columns), "ticket", "next_at"], copies))
    asked = statements(desk)
    with desk.transaction() as s:
        assert actions.fire_due(s, nothing_more) == []
        actions.seconds_until_next(s)
    with desk.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.execute(text("VACUUM ANALYZE sla_clock"))
        plans = [explained(c, sql, given) for sql, given in list(asked) if "FROM sla_clock" in sql]
    assert len(plans) == 2
    for plan in plans:
        assert "sla_clock_due" in plan
        assert "Seq Scan" not in plan
        assert "Rows Removed" not in plan


def statements(desk: Database) -> list[tuple[str, Any]]:
    """What is asked of the database from here on, noted down as it is asked."""
    asked: list[tuple[str, Any]] = []

    @event.listens_for(desk.engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    return asked


def explained(c: Connection, statement: str, parameters: Any) -> str:
    return "\n".join(row[0] for row in c.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", parameters))
