"""Bringing the database to this version, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from app.core.errors import Conflict
from app.db import locks
from app.db.session import plainly, sqlalchemy_url
from app.ops import roles

SCRIPTS = Path(__file__).parents[1] / "migrations"


class NewerData(Conflict):
    """The data was written by a newer version of the desk than this one."""


def up(dsn: str) -> list[str]:
    """Migrate to the newest revision, as the tables' owner and under an advisory lock; answer what was done, oldest first.

    Raises NewerData, before anything is touched, where the database is at a revision that this version doesn't know.
    """
    engine = create_engine(sqlalchemy_url(dsn), poolclass=NullPool)
    with plainly(), engine.connect() as held:
        locks.take(held, "migrate")
        steps = pending(engine)
        if steps:
            command.upgrade(_alembic(engine), "head")
        with engine.begin() as c:
            roles.settle(c)
    return steps


def pending(engine: Engine) -> list[str]:
    """The revisions that are still to come, oldest first. Raises NewerData."""
    with plainly(), engine.connect() as c:
        at = MigrationContext.configure(c).get_current_revision()
    steps = known()
    if at is not None and at not in steps:
        raise NewerData(f"The database is at revision {at}, which this version does not know.")
    return list(reversed(steps[: steps.index(at)] if at else steps))


def known() -> list[str]:
    """The revisions that this version knows, newest first."""
    return [script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()]


def head() -> str:
    """This version's newest revision."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head() or ""


def _alembic(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["engine"] = engine
    return config
