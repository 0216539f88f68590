"""Looking for whom to tell costs next to nothing while nobody is to be told, however much was told before."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

import app.sla
from app.core.signing import Signer
from app.db.session import Database
from app.db.session import now as database_now
from app.outbox.house import House
from app.sla import actions as sla
from app.sla import ladder
from app.sla.models import Escalation, Happening
from app.tickets import deadlines, escalating
from tests.cast import assemble
from tests.db.sla.test_fire_due import explained, statements
from tests.db.tickets.scene import opened

HOUSE = House("https://desk.example", "Desk", "desk@desk.example", "desk.example", Signer(b"k" * 32))
HOUR = timedelta(hours=1)


@pytest.mark.db
def test_the_claim_reads_the_index_of_what_is_due_and_nothing_else(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        sla.ensure_defaults(s, now=now)
        opened(s, assemble(s, now), now - 9 * HOUR, accepted=True)
        deadlines.process_due(s)
        one = s.scalars(select(Escalation)).one()
        event = s.get_one(Happening, one.event_id)
        names = ("clock_id", "cycle", "kind", "at", "detected_at", "detail")
        same = {name: getattr(event, name) for name in names}
        events = [same | {"threshold": f"+{n}m", "rearm": 0} for n in range(3000)]
        ids = s.scalars(insert(Happening).returning(Happening.id), events).all()
        told: dict[str, Any] = {"step_id": one.step_id, "clock_id": one.clock_id, "ticket": one.ticket}
        s.execute(
            insert(Escalation),
            [told | {"event_id": id, "times": n % 2, "next_at": None if n % 2 else now + n * HOUR} for n, id in enumerate(ids)],
        )
        s.execute(update(Escalation).where(Escalation.next_at <= now).values(next_at=now + HOUR))
    asked = statements(database)
    with database.transaction() as s:
        assert escalating.tell_due(s, HOUSE, UTC) == 0
        ladder.seconds_until_next(s)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.execute(text("VACUUM ANALYZE sla_escalation"))
        plans = [explained(c, sql, given) for sql, given in list(asked) if "FROM sla_escalation" in sql]
    assert len(plans) == 2
    for plan in plans:
        assert "sla_escalation_due" in plan
        assert "Seq Scan on sla_escalation" not in plan


def test_nothing_of_the_engine_asks_the_time_of_anybody_but_the_transaction() -> None:
    """clock_timestamp() can't use an index, and the machine's own clock is not the database's."""
    folder = Path(app.sla.__file__).parent
    for file in folder.rglob("*.py"):
        said = file.read_text()
        assert "clock_timestamp" not in said, file
        assert "core import clock" not in said, file
