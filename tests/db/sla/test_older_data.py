"""Clocks that an older version of the desk kept."""

from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from app.db.session import Database, sqlalchemy_url
from app.db.session import now as database_now
from app.ops import migrate
from app.sla import actions, queries
from app.sla.rules import Moment
from tests.db.sla.known import URGENT, nothing_more
from tests.db.sla.test_fire_due import HOUR

pytestmark = pytest.mark.db

BEFORE_NAMES = "0019"  # the last revision at which a threshold was a number
KEPT = {
    "clocks": "SELECT id, next_threshold, ARRAY(SELECT unnest(dealt) ORDER BY 1), due_at, next_at FROM sla_clock ORDER BY id",
    "events": "SELECT clock_id, kind, threshold FROM sla_event ORDER BY id",
    "targets": "SELECT metric, priority, thresholds FROM sla_target ORDER BY metric, priority",
}


@pytest.fixture
def alembic(desk: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    config.attributes["engine"] = create_engine(sqlalchemy_url(desk.dsn), poolclass=NullPool)
    return config


def kept(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with engine.connect() as c:
        return {name: [tuple(row) for row in c.execute(text(query))] for name, query in KEPT.items()}


def test_thresholds_that_were_numbers_become_names_and_nothing_told_is_told_again(desk: Database, alembic: Config) -> None:
    with desk.transaction() as s:
        for ticket, ago in enumerate((HOUR / 4, HOUR * 0.8, 2 * HOUR), start=1):
            actions.happened(s, ticket, Moment.ACCEPTED, at=database_now(s) - ago, facts=URGENT)
        assert len(actions.fire_due(s, nothing_more)) == 2
    before = kept(desk.engine)
    desk.engine.dispose()
    command.downgrade(alembic, BEFORE_NAMES)
    with desk.engine.connect() as c:
        old = c.execute(
            text("SELECT ticket, next_threshold FROM sla_clock WHERE metric = 'first_response' ORDER BY ticket")
        ).all()
        assert [tuple(row) for row in old] == [(1, 75), (2, 100), (3, None)]
        assert c.scalar(text("SELECT DISTINCT thresholds FROM sla_target")) == [75, 100]
    desk.engine.dispose()
    migrate.up(desk.dsn)
    assert kept(desk.engine) == before
    with desk.transaction() as s:
        assert actions.fire_due(s, nothing_more) == []
        assert queries.drifts(s, after=0, limit=100) == ([], None)
