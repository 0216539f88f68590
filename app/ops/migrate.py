"""Bringing the database to this version, one process at a time."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from app.core import ids
from app.core.errors import Conflict
from app.db import locks
from app.db.session import plainly, sqlalchemy_url
from app.ops import roles

SCRIPTS = Path(__file__).parents[1] / "migrations"
# A statement may take as long as it has to; a lock that somebody else has (another desk on this database) is not waited for long.
PATIENT = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
HURRIED = "-c statement_timeout=0 -c lock_timeout=10s -c idle_in_transaction_session_timeout=0"


class NewerData(Conflict):
    """The data was written by a newer version of the desk than this one."""


def nothing(*_: object) -> None:
    """Nobody wants to be told."""


def up(dsn: str, *, before: Callable[[str, list[str]], None] = nothing, done: Callable[[str], None] = nothing) -> list[str]:
    """Migrate to the newest revision, as the tables' owner and under an advisory lock; answer what was done, oldest first.

    All of it is one transaction: whatever happens, and be it a power cut, the database is at the newest revision or as it was.
    `before` is told the revision of a database that there was already, and the steps that are to come; `done` of each step.
    Raises NewerData, before anything is touched, where the database is at a revision that this version doesn't know.
    """
    holding, engine = _engine(dsn, PATIENT), _engine(dsn, HURRIED)
    with plainly(), holding.connect() as held:
        locks.take(held, "migrate")
        at = revision(engine)
        steps = after(at)
        if steps:
            if at is not None:
                before(at, steps)
            command.upgrade(_alembic(engine, done), "head")
        with engine.begin() as c:
            roles.settle(c)
    return steps


def pending(engine: Engine) -> list[str]:
    """The revisions that are still to come, oldest first. Raises NewerData."""
    return after(revision(engine))


def revision(engine: Engine) -> str | None:
    """The one that the database is at."""
    with plainly(), engine.connect() as c:
        return MigrationContext.configure(c).get_current_revision()


def after(at: str | None) -> list[str]:
    """The revisions that come after this one, oldest first. Raises NewerData."""
    steps = known()
    if at is not None and at not in steps:
        raise NewerData(f"The database is at revision {at}, which this version does not know.")
    return list(reversed(steps[: steps.index(at)] if at else steps))


def digest(steps: list[str]) -> str:
    """What changes when one of these migrations is written anew."""
    scripts = ScriptDirectory(str(SCRIPTS))
    return ids.sha256(b"".join(Path(scripts.get_revision(step).path).read_bytes() for step in steps))


def known() -> list[str]:
    """The revisions that this version knows, newest first."""
    return [script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()]


def head() -> str:
    """This version's newest revision."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head() or ""


def _engine(dsn: str, options: str) -> Engine:
    return create_engine(sqlalchemy_url(dsn), poolclass=NullPool, connect_args={"options": options})


def _alembic(engine: Engine, done: Callable[[str], None]) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes |= {"engine": engine, "done": done}
    return config
