import pytest

from scripts.house.rules import formatted_sql
from tests.unit.house.trial import lines_found


@pytest.mark.parametrize(
    "code",
    [
        'f"SELECT * FROM tickets ORDER BY {column}"',
        'f"""\n    select id\n    from tickets where subject = \'{words}\'"""',
        'f"SELECT pg_advisory_lock({number})"',
        'f"INSERT INTO {table} VALUES (1)"',
        'f"UPDATE {table} SET subject = 1"',
        'f"DELETE FROM {table}"',
        'f"WITH due AS ({query}) SELECT 1"',
        'f"DROP DATABASE {name}"',
        'f"LISTEN {channel}"',
        '"SELECT * FROM tickets WHERE id = %s" % number',
        '"SELECT * FROM {} WHERE id = 1".format(table)',
        '"SELECT * FROM " + table + " WHERE id = 1"',
        '"SELECT * " + f"FROM {table}"',
        's.execute(f"{statement}")',
        's.execute("vacuum %s" % table)',
        's.scalar("vacuum " + table)',
        'from sqlalchemy import text as sql; sql(f"{column} DESC")',
        'import sqlalchemy as sa; sa.text("{} DESC".format(column))',
    ],
)
def test_it_refuses_sql_that_is_put_together(code: str) -> None:
    assert len(lines_found(formatted_sql, code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        's.execute(text("SELECT * FROM tickets WHERE id = :id"), {"id": number})',
        "s.execute(select(Ticket).where(Ticket.id == number))",
        'connection.execute("SELECT 1 " "FROM tickets")',
        'psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel))',
        'f"Select a ticket, {name}"',
        'f"Update from {name}: your ticket"',
        'f"Notify {name}"',
        'page.text(f"{subject}")',
        'f"no fields in here, SELECT * FROM tickets"',
        "count + 1",
        "s.scalar(offset + 1)",
    ],
)
def test_it_accepts_bound_values_and_plain_words(code: str) -> None:
    assert lines_found(formatted_sql, code) == []


def test_it_accepts_anything_in_tests() -> None:
    assert lines_found(formatted_sql, 'f"DROP TABLE {table}"', at="tests/db/test_migrations.py") == []
