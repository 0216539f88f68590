"""The role that the desk works as: where it comes from, and what it may."""

import uuid
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from app.audit import actions as audit
from app.audit.models import Event
from app.db.session import Database
from app.db.session import now as database_now
from app.ops import migrate, roles
from app.ops.roles import Standing


class Server:
    """A database of an owner who is nobody special."""

    def __init__(self, url: str) -> None:
        self.url, self.name = url, f"plain_{uuid.uuid4().hex[:8]}"
        self.dsn = url.replace("postgres@", f"{self.name}@") + f"/{self.name}"

    def run(self, statement: str, *, inside: bool = False) -> None:
        names = {"owner": sql.Identifier(self.name), "role": sql.Identifier(f"{self.name}_app")}
        with psycopg.connect(f"{self.url}/{self.name if inside else 'postgres'}", autocommit=True) as c:
            c.execute(sql.SQL(statement).format(**names))

    def standing(self) -> Standing:
        migrate.up(self.dsn)
        db = Database(self.dsn)
        with db.transaction() as s:
            audit.record(s, Event.TICKET_NOTED, now=database_now(s))
        with db.reading() as c:
            found = roles.standing(c)
        db.close()
        return found


@pytest.fixture
def plain(server: str) -> Iterator[Server]:
    made = Server(server)
    made.run("CREATE ROLE {owner} LOGIN")
    made.run("CREATE DATABASE {owner} OWNER {owner}")
    yield made
    made.run("DROP DATABASE {owner} WITH (FORCE)")
    with suppress(psycopg.errors.UndefinedObject):
        made.run("DROP ROLE {role}")
    made.run("DROP ROLE {owner}")


def test_an_owner_who_may_not_make_roles_works_as_the_owner_and_is_told(plain: Server) -> None:
    found = plain.standing()
    assert found.role == plain.name
    assert f'CREATE ROLE "{plain.name}_app" NOLOGIN' in (found.problem or "")


def test_the_role_that_the_problem_asks_for_is_taken_from_the_next_start_on(plain: Server) -> None:
    assert plain.standing().problem
    plain.run("CREATE ROLE {role} NOLOGIN")
    plain.run("GRANT {role} TO {owner}")
    assert plain.standing() == Standing(f"{plain.name}_app", None)


def test_an_owner_who_may_make_roles_makes_it(plain: Server) -> None:
    plain.run("ALTER ROLE {owner} CREATEROLE")
    assert plain.standing() == Standing(f"{plain.name}_app", None)


@pytest.mark.parametrize("power", ["LOGIN", "SUPERUSER", "CREATEROLE", "CREATEDB", "BYPASSRLS"])
def test_a_role_of_that_name_that_may_more_is_not_taken(plain: Server, power: str) -> None:
    plain.run("CREATE ROLE {role} NOLOGIN")
    plain.run("GRANT {role} TO {owner}")
    plain.run(f"ALTER ROLE {{role}} {power}")
    assert plain.standing().role == plain.name


def test_rights_that_somebody_added_are_taken_away_at_the_next_start(plain: Server) -> None:
    plain.run("ALTER ROLE {owner} CREATEROLE")
    plain.standing()
    plain.run("GRANT ALL ON audit_event TO {role}", inside=True)
    assert plain.standing().problem is None
    with psycopg.connect(plain.dsn) as c:
        row = c.execute("SELECT has_table_privilege(%s, 'audit_event', 'DELETE')", [f"{plain.name}_app"]).fetchone()
    assert row == (False,)


def test_a_rollback_does_not_take_the_role_away(database: Database) -> None:
    for _ in range(2):
        with suppress(ZeroDivisionError), database.transaction() as s:
            assert s.scalar(text("SELECT current_user")) == "postgres_app"
            raise ZeroDivisionError
    with database.reading() as c:
        assert c.scalar(text("SELECT current_user")) == "postgres_app"


def test_it_may_use_every_table_there_is_and_truncate_none(database: Database) -> None:
    query = text(
        """
        SELECT relname, array_agg(word ORDER BY word) FROM pg_class,
            unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS w(word)
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND has_table_privilege(oid, word) GROUP BY relname
        """
    )
    with database.reading() as c:
        found = {name: words for name, words in c.execute(query)}  # noqa: C416 (a Row is no tuple to mypy)
    special = {
        "audit_event": ["INSERT", "SELECT"],
        "audit_checkpoint": ["INSERT", "SELECT"],
        "audit_head": ["SELECT", "UPDATE"],
        "alembic_version": ["SELECT"],
    }
    assert {name: found.pop(name) for name in special} == special
    assert set(map(tuple, found.values())) == {("DELETE", "INSERT", "SELECT", "UPDATE")}
