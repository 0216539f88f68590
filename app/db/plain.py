"""Hand-written SQL, straight to the driver: for what every request asks and writes, and answers that PostgreSQL writes itself.

SQLAlchemy's result objects cost as much as such a query does, and its unit of work several times as much as a row; a page of
tickets is one row with one text.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, LiteralString, TypeVar

from psycopg import sql
from sqlalchemy import Connection, Dialect, inspect, schema
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.util import identity_key

from app.db.session import Session
from app.db.types import Table

Row = TypeVar("Row", bound=Table)
Column = tuple[str, Any, Callable[[Any], Any] | None]  # the attribute, its default, and what makes a value for the driver


def rows(c: Connection, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a query with placeholders like %(name)s. JSON comes as Python values, or as text where it is cast to it."""
    driver: Any = c.connection.driver_connection
    found: list[tuple[Any, ...]] = driver.execute(query, values).fetchall()
    return found


def add(s: Session, row: Table) -> None:
    """Write a new row at once and take it into the session as if it had been read. Its columns are all known then."""
    key = inspect(type(row)).primary_key[0]
    [(number,)] = write(s, [row], then="RETURNING " + key.name)
    setattr(row, inspect(type(row)).get_property_by_column(key).key, number)
    make_transient_to_detached(row)
    s.add(row)


def known(s: Session, table: type[Row], **columns: Any) -> Row:
    """The session's row with this key, or one made of what a query of ours found; the rest is read when asked for."""
    found = s.identity_map.get(identity_key(table, columns["id"]))
    if found is None:
        found = table(**columns)
        make_transient_to_detached(found)
        s.add(found)
    return found


def write(s: Session, fresh: Sequence[Table], *, then: LiteralString) -> list[tuple[Any, ...]]:
    """Write new rows of one table by one statement that ends in `then`, and give what it returns.

    The database numbers them; every other column has what it was given, or its default, or nothing.
    """
    s.flush()
    c, table = s.connection(), type(fresh[0])
    columns = _columns(table, c.dialect)
    values = [bound for row in fresh for bound in _bound(row, columns)]
    driver: Any = c.connection.driver_connection
    found: list[tuple[Any, ...]] = driver.execute(_insert(table, c.dialect, len(fresh), then), values).fetchall()
    return found


def _bound(row: Table, columns: Sequence[Column]) -> list[Any]:
    known, bound = row.__dict__, []
    for name, default, bind in columns:
        if name not in known:
            setattr(row, name, default(None) if callable(default) else default)
        value = known[name]
        bound.append(bind(value) if bind else value)
    return bound


@cache
def _columns(table: type[Table], dialect: Dialect) -> Sequence[Column]:
    """What is written: every column that the database does not number."""
    found: list[Column] = []
    for column in _table(table).columns:
        if column is not _table(table).autoincrement_column:
            default = getattr(column.default, "arg", None)
            bind = column.type.dialect_impl(dialect).bind_processor(dialect)
            found.append((inspect(table).get_property_by_column(column).key, default, bind))
    return found


@cache
def _insert(table: type[Table], dialect: Dialect, many: int, then: LiteralString) -> bytes:
    names = [inspect(table).columns[key].name for key, _, _ in _columns(table, dialect)]
    row = sql.SQL("({})").format(sql.SQL(", ").join(sql.Placeholder() for _ in names))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES {} {}").format(
        sql.Identifier(_table(table).name),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join([row] * many),
        sql.SQL(then),
    )
    return statement.as_bytes(None)


def _table(mapped: type[Table]) -> schema.Table:
    table = inspect(mapped).local_table
    assert isinstance(table, schema.Table)
    return table
