"""The worker's real loop wakes what sleeps."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app import config
from app.audit.models import Entry
from app.core import log as logs
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.entry.loop import Worker
from app.entry.sla_worker import Watch
from app.tickets import planned
from app.tickets.models import Channel, Message, PlannedAnswer, Ticket
from tests.cast import assemble
from tests.db.tickets.scene import opened


@pytest.fixture
def running(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The loop, going round."""
    monkeypatch.setattr(logs, "start", lambda *_: None)
    monkeypatch.setattr(Worker, "listen_for_signals", lambda _: None)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "ready").touch()
    me = Worker("sla-worker", config.load({"DATABASE_URL": database.dsn, "RUN_DIR": str(tmp_path)}))
    watch = Watch(me)
    thread = threading.Thread(target=me.run, args=(watch.round,))
    thread.start()
    yield
    me.stop.set()
    thread.join(10)
    watch.close()


@pytest.mark.usefixtures("running")
def test_a_ticket_wakes_by_itself_within_a_second_of_its_time(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        ticket = opened(s, assemble(s, now), now)
        ticket.snoozed_until = due = now + timedelta(seconds=2)
    end = time.monotonic() + 10
    woken = None
    while woken is None and time.monotonic() < end:
        time.sleep(0.05)
        with database.transaction() as s:
            woken = s.scalar(select(Entry).where(Entry.ticket == ticket.number, Entry.kind == "ticket.awoken"))
    assert woken is not None
    assert timedelta(0) <= woken.at - due < timedelta(seconds=1)
    with database.transaction() as s:
        assert s.get_one(Ticket, ticket.number).snoozed_until is None


@pytest.mark.usefixtures("running")
def test_an_answer_goes_out_by_itself_within_a_second_of_its_time(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        cast = assemble(s, now)
        ticket = opened(s, cast, now, accepted=True)
        due = now + timedelta(seconds=2)
        planned.plan(s, ticket, by=cast.alice, text="Pull the plug.", at=due, channel=Channel.PAGE, now=now)
    end = time.monotonic() + 10
    said = None
    while said is None and time.monotonic() < end:
        time.sleep(0.05)
        with database.transaction() as s:
            said = s.scalar(select(Message).where(Message.ticket == ticket.number, Message.from_staff))
    assert said is not None
    assert timedelta(0) <= said.created_at - due < timedelta(seconds=1)


def test_an_answer_that_trips_over_a_mistake_keeps_neither_deadlines_nor_other_answers(
    database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with database.transaction() as s:
        now = database_now(s)
        cast = assemble(s, now)
        tickets = [opened(s, cast, now, accepted=True) for _ in range(2)]
        bad, good = (
            planned.plan(
                s, ticket, by=cast.alice, text="Pull.", at=now + timedelta(seconds=0.1), channel=Channel.PAGE, now=now
            ).id
            for ticket in tickets
        )
        tickets[1].snoozed_until = now + timedelta(seconds=1)
    real = planned.send

    def trips(s: Session, ticket: Ticket, answer: PlannedAnswer, *, now: datetime) -> Message:
        if answer.id == bad:
            raise KeyError("a mistake")
        return real(s, ticket, answer, now=now)

    monkeypatch.setattr(planned, "send", trips)
    request.getfixturevalue("running")
    end = time.monotonic() + 10
    left, sleeps = {bad, good}, True
    while (left != {bad} or sleeps) and time.monotonic() < end:
        time.sleep(0.05)
        with database.transaction() as s:
            left = set(s.scalars(select(PlannedAnswer.id)))
            sleeps = s.get_one(Ticket, tickets[1].number).snoozed_until is not None
    assert (left, sleeps) == ({bad}, False)
    with database.transaction() as s:
        due = s.get_one(PlannedAnswer, bad).due_at
        assert due
        assert due - now > timedelta(minutes=59)
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "an answer could not be sent; it is tried again in an hour"
    ]
