"""Whom a note calls, where there are very many customers and a few who work here."""

from typing import Any

import pytest
from sqlalchemy import event, text

from app.db.session import Database
from app.db.session import now as database_now
from app.tickets import mentions
from app.tickets.places import Place
from tests.cast import assemble

pytestmark = pytest.mark.db


def test_a_mention_looks_at_the_staff_and_not_at_every_customer(database: Database) -> None:
    asked: list[tuple[str, Any]] = []

    def remember(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    with database.transaction() as s:
        alice = assemble(s, database_now(s)).alice
        many = "INSERT INTO person (email, name, role, created_at) SELECT n || '@crowd.example', n, 'customer', now() "
        s.execute(text(many + "FROM generate_series(1, 5000) AS n"))
        s.execute(text("ANALYZE person"))
        event.listen(database.engine, "before_cursor_execute", remember)
        assert list(mentions._called(s, ["alice"])) == ["alice"]
        place = Place(1, alice.id, None, None, None)
        assert [each["name"] for each in mentions.mentionable(s.connection(), place, 0, "al")] == ["Alice"]
        event.remove(database.engine, "before_cursor_execute", remember)
        for statement, parameters in asked:
            plan = "\n".join(s.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            assert "person_staff_idx" in plan, plan
    assert len(asked) == 2
