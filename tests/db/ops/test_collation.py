"""Indexes are sorted anew where the order of words is another than the one they were made with."""

import logging
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from app import config
from app.config import Settings
from app.db.session import Database
from app.entry import boot
from app.ops import collation

BY_OLD_ORDER = "UPDATE pg_database SET datcollversion = '0.9' WHERE datname = current_database()"
FILES = "SELECT relname, relfilenode FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace"


@pytest.fixture
def builtin(server: str) -> Iterator[str]:
    """A database with the order of words that the embedded cluster's has, and a table."""
    name = sql.Identifier(f"sorted_{uuid.uuid4().hex[:8]}")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as c:
        how = "CREATE DATABASE {} TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        c.execute(sql.SQL(how).format(name))
        dsn = f"{server}/{name.as_string(c).strip(chr(34))}"
        with psycopg.connect(dsn) as inside:
            inside.execute("CREATE TABLE person (name text PRIMARY KEY); CREATE INDEX lower ON person (lower(name))")
        yield dsn
        c.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def files(dsn: str) -> list[tuple[str, int]]:
    with psycopg.connect(dsn) as c:
        return sorted(c.execute(FILES).fetchall())


def test_another_order_has_every_index_sorted_anew_once(builtin: str) -> None:
    assert collation.settle(builtin) is None
    before = files(builtin)
    with psycopg.connect(builtin) as c:
        c.execute(BY_OLD_ORDER)
    assert "from version 0.9 to 1" in str(collation.settle(builtin))
    after = files(builtin)
    assert [name for name, _ in after] == [name for name, _ in before] == ["lower", "person_pkey"]
    assert not set(before) & set(after)
    assert collation.settle(builtin) is None
    assert files(builtin) == after


def test_a_start_sorts_the_embedded_one_alone_and_goes_on_where_that_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sorted_anew: list[str] = []
    for name in ("wait_for", "bring_up_to_date", "open_the_door", "tell"):
        monkeypatch.setattr(boot, name, lambda *_, **__: None)
    monkeypatch.setattr(collation, "settle", sorted_anew.append)
    boot.boot(given(DATABASE_URL=database.dsn))
    assert sorted_anew == []
    boot.boot(given())
    assert len(sorted_anew) == 1

    def twice(_: str) -> None:
        raise psycopg.errors.UniqueViolation("two rows are one")

    monkeypatch.setattr(collation, "settle", twice)
    with caplog.at_level(logging.ERROR):
        boot.boot(given())
    assert "two rows are one" in caplog.text


def given(**settings: str) -> Settings:
    return config.load(settings)
