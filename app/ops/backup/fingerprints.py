"""What a database holds, table by table: how many rows, and a hash of them all that doesn't depend on their order."""

from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

# A row is hashed as the text that PostgreSQL makes of it, which these settings decide.
SETTINGS = "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex"
_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1, 2
"""
_CONTENT = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {}.{} t")


@dataclass(frozen=True)
class Content:
    """One table: its rows, and the sum of their hashes (64 bits each)."""

    rows: int
    hash: str


Contents = dict[str, Content]


def of(c: psycopg.Connection) -> Contents:
    """Every table by its name, as this connection sees it; one that was opened with SETTINGS."""
    tables = c.execute(_TABLES).fetchall()
    found = {}
    for schema, table in tables:
        row = c.execute(_CONTENT.format(sql.Identifier(schema), sql.Identifier(table))).fetchone()
        assert row is not None
        found[table if schema == "public" else f"{schema}.{table}"] = Content(*row)
    return found


def told(contents: Contents) -> dict[str, Any]:
    """For JSON."""
    return {name: asdict(content) for name, content in contents.items()}


def untold(found: dict[str, Any]) -> Contents:
    """From JSON. Raises TypeError where it is none of ours."""
    return {name: Content(**content) for name, content in found.items()}


def differences(before: Contents, after: Contents) -> list[str]:
    """Each table that is not what it was, in words."""
    said = []
    for name in sorted(before.keys() | after.keys()):
        a, b = before.get(name), after.get(name)
        if a is None or b is None:
            said.append(f"{name} is {'missing' if b is None else 'not expected'}")
        elif a.rows != b.rows:
            said.append(f"{name} has {b.rows} rows instead of {a.rows}")
        elif a != b:
            said.append(f"{name} has as many rows, but not the same")
    return said
