"""PostgreSQL's programs are the image's: the machine may have none, or older ones."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from app import config
from app.config import Settings
from app.db.session import Database
from app.ops.backup import databases, postgres
from tests.conftest import IMAGE

PowerLasts = Callable[[int], AbstractContextManager[None]]
RUN = 'exec docker exec -i -e PGPASSWORD {} {} "$@"\n'


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A container that the programs are run in, on this machine's own network."""
    run = ["docker", "run", "-d", "--rm", "--network", "host", "--no-healthcheck", "--entrypoint", "tini"]
    container = subprocess.run([*run, IMAGE, "--", "sleep", "1h"], check=True, capture_output=True, text=True).stdout.strip()
    yield container
    subprocess.run(["docker", "kill", container], check=False, capture_output=True)


@pytest.fixture
def programs(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is looked into first for programs; with pg_dump and pg_restore."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        program(folder / name, RUN.format(postgresql, name))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A desk's data."""
    data = tmp_path / "data"
    for name in ("secrets", "files", "mail", "tmp/rehearsal"):
        (data / name).mkdir(parents=True)
    (data / "secrets" / "secret_key").write_text("ab" * 32)
    return data


@pytest.fixture
def settings(database: Database, folder: Path) -> Settings:
    environ = {"DATABASE_URL": database.dsn, "DATA_DIR": str(folder), "RUN_DIR": str(folder / "run"), "BACKUP_KEEP": "2"}
    return config.load(environ, secrets=folder / "none")


@pytest.fixture
def room(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rehearsals take place in a database of the tests' server. A cluster is begun in the tests of the appliance."""

    @contextmanager
    def scratch(folder: Path) -> Iterator[str]:
        with emptied(server) as dsn:
            yield dsn

    monkeypatch.setattr(postgres, "scratch", scratch)


@contextmanager
def emptied(server: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"rehearsal_{os.getpid()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
        c.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        c.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
            c.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def power_lasts(monkeypatch: pytest.MonkeyPatch) -> PowerLasts:
    """`with power_lasts(n)`: it fails after so many databases got another name."""
    real = databases._rename

    @contextmanager
    def lasts(renames: int) -> Iterator[None]:
        left = [renames]

        def rename(c: psycopg.Connection, old: str, new: str) -> None:
            if not left[0]:
                raise psycopg.OperationalError("the power fails")
            left[0] -= 1
            real(c, old, new)

        with monkeypatch.context() as power:
            power.setattr(databases, "_rename", rename)
            yield

    return lasts
