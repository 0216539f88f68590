"""A deadline on its way to a program elsewhere: each telling once, whoever is killed, signed, and written down as evidence."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from app.db.session import now as time_of
from app.outbox.house import house
from app.outbox.models import Topic
from app.sla import actions as sla
from app.sla import ladder, queries
from app.sla.models import Notice
from app.sla.rules import Metric
from app.sla.rules.ladder import Rung
from app.tickets import deadlines, escalating, evidence
from tests.cast import assemble
from tests.db.outbox.hooked import Hooked
from tests.db.outbox.receiver import Receiver
from tests.db.tickets.scene import opened

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.db


def late(hooked: Hooked, webhook: int, *, tickets: int = 1, most: int = 1) -> list[int]:
    """Tickets whose first answer was due an hour ago, of which this webhook is to be told."""
    with hooked.database.transaction() as s:
        now = time_of(s)
        sla.ensure_defaults(s, now=now)
        s.execute(text("DELETE FROM sla_step"))
        repeat = HOUR if most > 1 else None
        rung = Rung(Metric.FIRST_RESPONSE, "100%", (f"webhook:{webhook}",), repeat=repeat, most=most)
        ladder.set_steps(s, queries.policies(s)[0].id, 1, [rung])
        s.execute(text("DELETE FROM person"))  # the cast brings its own administrator
        cast = assemble(s, now)
        return [opened(s, cast, now - 9 * HOUR, accepted=True).number for _ in range(tickets)]


def noticed(hooked: Hooked) -> None:
    with hooked.database.transaction() as s:
        deadlines.process_due(s)


def told(hooked: Hooked, *, limit: int = 100, dies: bool = False) -> int:
    """What a worker does; one that dies has done nothing."""
    with hooked.database.transaction() as s:
        found = escalating.tell_due(s, house(hooked.settings), UTC, limit=limit)
        if dies:
            s.rollback()
    return found


def test_it_arrives_once_signed_and_the_evidence_says_when(hooked: Hooked, receiver: Receiver) -> None:
    id, secret = hooked.add(receiver, Topic.TICKET_DEADLINE)
    [number] = late(hooked, id)
    noticed(hooked)
    while told(hooked):
        pass
    for _ in range(2):
        hooked.turn()
    [heard] = receiver.heard
    assert heard.signed_by(secret)
    assert heard.headers["webhook-id"] == heard.told["id"]
    assert (heard.told["type"], heard.told["ticket"]["number"]) == ("ticket.deadline", number)
    with hooked.database.transaction() as s:
        [[one], _] = evidence.escalations(s.connection(), number, limit=10)
    [notice] = one["notices"]
    assert (notice["to"], notice["state"], notice["reason"]) == (f"webhook:{id}", "delivered", None)
    assert one["planned_at"] < one["detected_at"] <= datetime.fromisoformat(notice["sent_at"])
    assert datetime.fromisoformat(notice["sent_at"]) <= datetime.fromisoformat(notice["delivered_at"])


def test_a_refusal_is_tried_again_as_the_same_and_stands_in_the_evidence(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver, Topic.TICKET_DEADLINE)
    [number] = late(hooked, id)
    noticed(hooked)
    told(hooked)
    receiver.status = 503
    hooked.turn()
    with hooked.database.transaction() as s:
        [[one], _] = evidence.escalations(s.connection(), number, limit=10)
    assert (one["notices"][0]["state"], one["notices"][0]["reason"]) == ("waiting", "it answers 503")
    receiver.status = 200
    hooked.later(HOUR)
    hooked.turn()
    assert len(receiver.heard) == 2
    assert len({heard.headers["webhook-id"] for heard in receiver.heard}) == 1


def test_two_workers_and_one_that_dies_tell_everything_once(hooked: Hooked, receiver: Receiver) -> None:
    id, _ = hooked.add(receiver, Topic.TICKET_DEADLINE)
    numbers = late(hooked, id, tickets=20, most=3)
    noticed(hooked)
    ready = threading.Barrier(2)

    def work() -> None:
        ready.wait()
        for number in range(100):
            if not told(hooked, limit=3, dies=number % 4 == 1):
                return

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    hooked.turn()
    assert sorted(heard["ticket"]["number"] for heard in receiver.told) == numbers
    assert len({heard["id"] for heard in receiver.told}) == 20
    with hooked.database.transaction() as s:
        assert len(s.scalars(select(Notice)).all()) == 20
