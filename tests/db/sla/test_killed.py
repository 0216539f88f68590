"""A worker that dies before each statement and each commit of its work in turn: what is due is told once all the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from app.core.signing import Signer
from app.db.session import Database
from app.db.session import now as database_now
from app.outbox.house import House
from app.outbox.models import Letter
from app.sla.models import Clock, Escalation, Happening, Notice
from app.tickets import deadlines, escalating, evidence
from tests.cast import assemble
from tests.db.tickets.scene import opened

HOUR = timedelta(hours=1)
HOUSE = House("https://desk.example", "Desk", "desk@desk.example", "desk.example", Signer(b"k" * 32))
LEAST, MOST = 15, 100  # statements and commits of one ticket's deadline

pytestmark = pytest.mark.db


class Killed(BaseException):
    """Nobody catches this, as nobody catches SIGKILL."""


def lived(desk: Database, kill_at: int) -> bool:
    """Whether a worker noticed and told what is due before its n-th statement or commit, where it is killed."""
    done = 0

    def count(*_: Any) -> None:
        nonlocal done
        done += 1
        if done == kill_at:
            raise Killed

    points = ("before_cursor_execute", "commit")
    for point in points:
        event.listen(desk.engine, point, count)
    try:
        with desk.transaction() as s:
            deadlines.process_due(s)
        with desk.transaction() as s:
            escalating.tell_due(s, HOUSE, UTC)
    except Killed:
        return False
    finally:
        for point in points:
            event.remove(desk.engine, point, count)
    return True


def test_wherever_a_worker_is_killed_each_deadline_is_told_once(desk: Database) -> None:
    with desk.transaction() as s:
        cast = assemble(s, database_now(s))
    missed, kill_at = list[int](), 0
    while not missed or not lived(desk, kill_at):
        kill_at += 1
        with desk.transaction() as s:
            missed.append(opened(s, cast, database_now(s) - 9 * HOUR, accepted=True).number)
    assert LEAST < kill_at < MOST

    with desk.transaction() as s:
        told = select(Clock.ticket).join(Happening, Happening.clock_id == Clock.id).where(Happening.kind == "breach")
        assert sorted(s.scalars(told)) == missed
        assert sorted(s.scalars(select(Escalation.ticket))) == missed
        assert set(s.scalars(select(Escalation.times))) == {1}
        assert s.scalar(select(func.count()).select_from(Notice)) == len(missed)
        letters = select(Letter.ticket).where(Letter.dedupe_key.startswith("ladder:")).order_by(Letter.ticket)
        assert s.scalars(letters).all() == missed
        for number in missed:
            [[one], _] = evidence.escalations(s.connection(), number, limit=10)
            [notice] = one["notices"]
            assert one["planned_at"] < one["detected_at"] <= datetime.fromisoformat(notice["sent_at"])
