"""A real PostgreSQL for every test that asks for one: the image's own, started once, or TEST_DATABASE_URL."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session as RawSession
from xdist.scheduler import LoadScopeScheduling

from app.db.session import Database, Session, sqlalchemy_url
from app.db.session import now as database_now
from app.ops import migrate
from tests.cast import Cast, assemble

# How long an example takes on a busy machine says nothing about what it shows.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("desk")

IMAGE = os.environ.get("ATUM_TEST_IMAGE", "atum-desk:latest")
START = (
    "/usr/lib/postgresql/17/bin/initdb -D /tmp/pg -U postgres --locale-provider=builtin --locale=C.UTF-8 -A trust -N >/dev/null"
    " && echo 'host all all all trust' >> /tmp/pg/pg_hba.conf"
    " && exec /usr/lib/postgresql/17/bin/postgres -D /tmp/pg -c listen_addresses='*' -c fsync=off -c unix_socket_directories=/tmp"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-roles", action="store_true", help="write tests/web/roles.csv anew instead of comparing with it")
    parser.addoption("--examples", type=int, default=5, help="how many made-up requests each operation of the API is sent")


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Which tests stay together where processes share them (-n): those of a file, and all that boot the image."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "appliance" if "/appliance/" in path else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server, without a database's name."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given.rstrip("/")
        return
    with postgres(START) as (url, _):
        yield url


@contextmanager
def postgres(start: str) -> Iterator[tuple[str, str]]:
    """A server of the image's in a container of its own, begun by this command: its URL, and the container's id."""
    run = ["docker", "run", "--rm", "-d", "--no-healthcheck", "--user", "postgres", "-p", "127.0.0.1::5432"]
    run += ["--tmpfs", "/tmp:exec", "--entrypoint", "sh"]
    container = subprocess.run([*run, IMAGE, "-c", start], check=True, capture_output=True, text=True).stdout.strip()
    try:
        port = subprocess.run(["docker", "port", container, "5432"], check=True, capture_output=True, text=True).stdout
        url = f"postgresql://postgres@127.0.0.1:{port.split()[0].rpartition(':')[2]}"
        _wait_for(url)
        yield url, container
    finally:
        subprocess.run(["docker", "kill", container], check=False, capture_output=True)


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("PostgreSQL did not come up within 30 s")


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The name of a migrated, empty database that others are copied from."""
    name = f"template_{uuid.uuid4().hex[:8]}"
    _administer(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate.up(f"{server}/{name}")
    return name


class Copies:
    """Copies of one database, made by a thread ahead of the tests that want them."""

    def __init__(self, server: str, template: str) -> None:
        self._server, self._template = server, template
        self._ready: Queue[str | Exception] = Queue(maxsize=2)
        self._closed = Event()
        self._thread = Thread(target=self._make, daemon=True)
        self._thread.start()

    def take(self) -> str:
        """The name of a database that nobody has used."""
        made = self._ready.get()
        if isinstance(made, Exception):
            raise made
        return made

    def drop(self, name: str) -> None:
        _administer(self._server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        self._closed.set()
        while self._thread.is_alive() or not self._ready.empty():
            with suppress(Empty):
                made = self._ready.get(timeout=0.1)
                if isinstance(made, str):
                    self.drop(made)

    def _make(self) -> None:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        try:
            while not self._closed.is_set():
                name = f"test_{uuid.uuid4().hex[:12]}"
                _administer(self._server, copy.format(sql.Identifier(name), sql.Identifier(self._template)))
                self._ready.put(name)
        except psycopg.Error as wrong:
            self._ready.put(wrong)


@pytest.fixture(scope="session")
def copies(server: str, template: str) -> Iterator[Copies]:
    """Migrated, empty databases."""
    made = Copies(server, template)
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_database(server: str, copies: Copies) -> Iterator[Database]:
    """One database for all tests that roll back."""
    yield from _of_its_own(server, copies)


@pytest.fixture
def database(server: str, copies: Copies) -> Iterator[Database]:
    """A database of the test's own, for what really commits."""
    yield from _of_its_own(server, copies)


@pytest.fixture
def other_database(server: str, copies: Copies) -> Iterator[Database]:
    """Another one, where a test is about two desks."""
    yield from _of_its_own(server, copies)


@pytest.fixture
def owner(database: Database) -> Iterator[Engine]:
    """The same database as its tables' owner, who migrates it and may change everything."""
    engine = create_engine(sqlalchemy_url(database.dsn))
    yield engine
    engine.dispose()


@pytest.fixture
def s(shared_database: Database) -> Iterator[Session]:
    """A session whose work is rolled back when the test ends; commits inside are savepoints."""
    with shared_database.engine.connect() as c:
        outer = c.begin()
        with RawSession(c, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()


@pytest.fixture
def statements(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that a desk's database is sent from here on, by SQLAlchemy and past it."""
    if "database" in request.fixturenames:  # a connection's first words are not the request's
        database: Database = request.getfixturevalue("database")
        with database.reading(), database.transaction() as s:
            s.connection()
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def remembering(cursor: Any, statement: Any, *values: Any, **more: Any) -> Any:
        if cursor.connection.info.dbname != "postgres":  # where the next databases are made meanwhile
            sent.append(statement.decode() if isinstance(statement, bytes) else str(statement))
        return execute(cursor, statement, *values, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", remembering)
    return sent


@pytest.fixture
def now(s: Session) -> datetime:
    """The database's time in this transaction."""
    return database_now(s)


@pytest.fixture
def cast(s: Session, now: datetime) -> Cast:
    """Alice, Bob, Carol, Dave, Mallory and the administrator."""
    return assemble(s, now)


def _of_its_own(server: str, copies: Copies) -> Iterator[Database]:
    name = copies.take()
    made = Database(f"{server}/{name}")
    yield made
    made.close()
    copies.drop(name)


def _administer(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
        c.execute(statement)
