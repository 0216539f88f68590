"""Everything that stands in the database, row by row, to be compared before and after."""

import re
from functools import lru_cache

from sqlalchemy import Connection, Engine, Text, cast, func, literal, select, union_all
from sqlalchemy.sql.selectable import CompoundSelect

from app.db.types import Table

Rows = frozenset[tuple[str, str]]  # a table's name, and a row of it as JSON

_LONG = re.compile(r"atum_\w+|[\w-]{16,}|\d{5,}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[0-9:.+Z]*|\d\d:\d\d:\d\d[.\d]*")


def rows(c: Connection | Engine) -> Rows:
    """All of it. The head of the audit moves with every entry and tells nothing by itself."""
    if isinstance(c, Engine):
        with c.connect() as fresh:
            return rows(fresh)
    return frozenset((name, row) for name, row in c.execute(_everything()) if name != "audit_head")


def untouched(c: Connection) -> bool:
    """Whether this transaction wrote nothing at all: then there is nothing to be read again."""
    return c.scalar(select(func.pg_current_xact_id_if_assigned().is_(None))) is True


def alike(words: str) -> str:
    """The same without what differs each time: times, numbers that are given anew, and what nobody can guess."""
    return _LONG.sub("#", _TIMES.sub("@", words))


@lru_cache
def _everything() -> CompoundSelect[str, str]:
    tables = Table.metadata.sorted_tables
    return union_all(*(select(literal(t.name), cast(func.to_jsonb(t.table_valued()), Text)) for t in tables))
