"""Killed at any statement of an upgrade, or of a first start's work after it, the next start finds nothing half done."""

import multiprocessing
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from app import config
from app.db.session import Database, sqlalchemy_url
from app.migrations.tables import metadata
from app.ops import demo, migrate
from app.ops.backup import fingerprints
from app.ops.demo_stories import STORIES
from tests.db import killing

pytestmark = pytest.mark.timeout(3000)
OLDER = "0019"  # as far back as the migrations' way back goes with what the demo holds
MANY = 90  # statements, fewer than there are
EACH = pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 47])
Work = Callable[[dict[str, str]], None]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.db.killing"])
_SHAPE = """
SELECT c.relname, c.relkind::text, coalesce(string_agg(a.attname || ' ' || a.atttypid::regtype, ', ' ORDER BY a.attnum), '')
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace GROUP BY c.oid ORDER BY 1, 2
"""


def killed_at(work: Work, given: dict[str, str], number: int) -> int | None:
    """Whether it was killed there: nothing, or how many statements there are, fewer than that."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=killing.until, args=(work, given, number, there))
    process.start()
    there.close()
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return None
    assert process.exitcode == 0
    return int(here.recv())


def state(dsn: str) -> tuple[list[tuple[str, ...]], fingerprints.Contents]:
    """Each table, index and sequence with its columns, and what is in the tables."""
    with psycopg.connect(dsn, options=fingerprints.SETTINGS) as c:
        return c.execute(_SHAPE).fetchall(), fingerprints.of(c)


@pytest.fixture
def empty(server: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"killed_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
        c.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield f"{server}/{name}"
        c.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def given(database: Database, tmp_path: Path) -> dict[str, str]:
    for name in ("files", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    people = {"ADMIN_EMAIL": "root@desk.example", "ADMIN_PASSWORD": "correct horse battery", "ATUM_DEMO": "on"}
    return {"DATABASE_URL": database.dsn, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path / "run")} | people


@pytest.fixture
def older(database: Database, given: dict[str, str]) -> Engine:
    """A desk with people and tickets, as an older version left it."""
    demo.fill(database, config.load(given))
    database.close()
    engine = create_engine(sqlalchemy_url(database.dsn), poolclass=NullPool)
    command.downgrade(migrate._alembic(engine, migrate.nothing), OLDER)
    return engine


@EACH
def test_killed_amid_the_migrations_of_a_new_database_there_is_nothing(empty: str, step: int) -> None:
    before = state(empty)
    assert before == ([], {})
    killed_everywhere(empty, {"DATABASE_URL": empty}, step=step)
    assert_whole(create_engine(sqlalchemy_url(empty), poolclass=NullPool))


@EACH
def test_killed_amid_an_upgrade_the_database_is_as_the_older_version_left_it(
    older: Engine, database: Database, given: dict[str, str], step: int
) -> None:
    killed_everywhere(database.dsn, given, step=step)
    assert_whole(older)
    with older.connect() as c:
        assert c.scalar(text("SELECT count(*) FROM ticket")) == len(STORIES)


def killed_everywhere(dsn: str, given: dict[str, str], *, step: int) -> None:
    """At every so-manieth statement, until the migrations' one commit is past: before it the database is as it was."""
    before, number = state(dsn), 1
    while killed_at(killing.migrating, given, number) is None and state(dsn) == before:
        number += step
    assert number > MANY
    with psycopg.connect(dsn) as c:
        assert c.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.head(),)
    migrate.up(dsn)


def assert_whole(engine: Engine) -> None:
    with engine.connect() as c:
        assert MigrationContext.configure(c).get_current_revision() == migrate.head()
        assert compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), metadata) == []


@pytest.mark.parametrize(("demo", "step"), [("off", 7), pytest.param("on", 101, marks=pytest.mark.slow)])
def test_killed_amid_its_first_work_a_desk_is_furnished_once(
    database: Database, given: dict[str, str], demo: str, step: int
) -> None:
    number = 1
    while killed_at(killing.opening, given | {"ATUM_DEMO": demo}, number) is None:
        number += step
    assert number > 3 * step
    with database.reading() as c:
        for query, count in {
            "SELECT count(*) FROM ticket": len(STORIES) if demo == "on" else 0,
            "SELECT count(*) FROM person WHERE email = 'root@desk.example'": 1,
            "SELECT count(*) FROM sla_policy WHERE name = (SELECT min(name) FROM sla_policy)": 1,
        }.items():
            assert c.scalar(text(query)) == count, query
