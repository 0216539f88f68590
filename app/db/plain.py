"""Hand-written SQL, straight to the driver: for what every request asks and writes, and answers that PostgreSQL writes itself.

SQLAlchemy's result objects cost as much as such a query does, and its unit of work several times as much as a row; a page of
tickets is one row with one text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, LiteralString, TypeVar

from psycopg import sql
from psycopg.pq.abc import PGresult
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


def result(c: Connection, query: LiteralString, values: Mapping[str, Any] | None = None) -> PGresult:
    """The same as PostgreSQL wrote it: `get_value(row, column)` is a text, as bytes in UTF-8, or None."""
    driver: Any = c.connection.driver_connection
    found: PGresult = driver.execute(query, values).pgresult
    return found


def add(s: Session, row: Table) -> None:
    """Write a new row at once and take it into the session as if it had been read. Its columns are all known then."""
    [(number,)] = write(s, type(row), [_complete(s, row)], then="RETURNING " + inspect(type(row)).primary_key[0].name)
    _take_in(s, row, number)


def add_both(
    s: Session, first: Table, second: Table, *, pointer: str, then: LiteralString, values: Sequence[Any]
) -> tuple[Any, ...]:
    """The same for two rows by one statement; the second points to the first by its column `pointer`.

    `then` ends the statement. It finds the first row and the second's number in new_… of each table's name, returns both numbers
    first, and gets `values` for its own placeholders; what else it returns is the answer.
    """
    s.flush()
    c = s.connection()
    bound = [*_bound(_complete(s, first), _columns(type(first), c.dialect))]
    bound += _bound(_complete(s, second), _columns(type(second), c.dialect, without=pointer))
    driver: Any = c.connection.driver_connection
    query = _insert_both(type(first), type(second), c.dialect, pointer, then)
    number, other, *more = driver.execute(query, [*bound, *values]).fetchone()
    _take_in(s, first, number)
    setattr(second, pointer, number)
    _take_in(s, second, other)
    return tuple(more)


def known(s: Session, table: type[Row], **columns: Any) -> Row:
    """The session's row with this key, or one made of what a query of ours found; the rest is read when asked for."""
    found = s.identity_map.get(identity_key(table, columns["id"]))
    if found is None:
        found = table(**columns)
        make_transient_to_detached(found)
        s.add(found)
    return found


def write(s: Session, table: type[Table], fresh: Sequence[Mapping[str, Any]], *, then: LiteralString) -> list[tuple[Any, ...]]:
    """Write new rows of one table, by attribute, by one statement that ends in `then`, and give what it returns.

    The database numbers them; every other column has what it was given, or its default, or nothing.
    """
    s.flush()
    c = s.connection()
    columns = _columns(table, c.dialect)
    values = [bound for row in fresh for bound in _bound(row, columns)]
    driver: Any = c.connection.driver_connection
    found: list[tuple[Any, ...]] = driver.execute(_insert_many(table, c.dialect, len(fresh), then), values).fetchall()
    return found


def _complete(s: Session, row: Table) -> Mapping[str, Any]:
    known: dict[str, Any] = row.__dict__
    for name, default, _ in _columns(type(row), s.connection().dialect):
        if name not in known:
            setattr(row, name, default(None) if callable(default) else default)
    return known


def _take_in(s: Session, row: Table, number: int) -> None:
    mapper = inspect(type(row))
    setattr(row, mapper.get_property_by_column(mapper.primary_key[0]).key, number)
    make_transient_to_detached(row)
    s.add(row)


def _bound(row: Mapping[str, Any], columns: Sequence[Column]) -> Iterator[Any]:
    for name, default, bind in columns:
        value = row[name] if name in row else default(None) if callable(default) else default
        yield bind(value) if bind else value


@cache
def _columns(table: type[Table], dialect: Dialect, without: str | None = None) -> Sequence[Column]:
    """What is written: every column that the database does not number."""
    found: list[Column] = []
    for column in _table(table).columns:
        key = inspect(table).get_property_by_column(column).key
        if column is not _table(table).autoincrement_column and key != without:
            default = getattr(column.default, "arg", None)
            found.append((key, default, column.type.dialect_impl(dialect).bind_processor(dialect)))
    return found


@cache
def _insert_many(table: type[Table], dialect: Dialect, many: int, then: LiteralString) -> bytes:
    names = _names(table, _columns(table, dialect))
    rows = sql.SQL(", ").join([sql.SQL("({})").format(_placeholders(len(names)))] * many)
    return sql.SQL("{} VALUES {} {}").format(_into(table, names), rows, sql.SQL(then)).as_bytes(None)


@cache
def _insert_both(first: type[Table], second: type[Table], dialect: Dialect, pointer: str, then: LiteralString) -> bytes:
    names = _names(first, _columns(first, dialect))
    others = _names(second, _columns(second, dialect, without=pointer))
    statement = sql.SQL(
        "WITH {new_first} AS ({into_first} VALUES ({first}) RETURNING *), "
        "{new_second} AS ({into_second} SELECT {key}, {second} FROM {new_first} RETURNING {other_key}) {then}"
    ).format(
        new_first=sql.Identifier(f"new_{_table(first).name}"),
        into_first=_into(first, names),
        first=_placeholders(len(names)),
        key=sql.Identifier(inspect(first).primary_key[0].name),
        new_second=sql.Identifier(f"new_{_table(second).name}"),
        into_second=_into(second, [inspect(second).columns[pointer].name, *others]),
        second=_placeholders(len(others)),
        other_key=sql.Identifier(inspect(second).primary_key[0].name),
        then=sql.SQL(then),
    )
    return statement.as_bytes(None)


def _names(table: type[Table], columns: Sequence[Column]) -> list[str]:
    return [inspect(table).columns[key].name for key, _, _ in columns]


def _into(table: type[Table], names: Sequence[str]) -> sql.Composed:
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("INSERT INTO {} ({})").format(sql.Identifier(_table(table).name), listed)


def _placeholders(many: int) -> sql.Composed:
    return sql.SQL(", ").join(sql.Placeholder() for _ in range(many))


def _table(mapped: type[Table]) -> schema.Table:
    table = inspect(mapped).local_table
    assert isinstance(table, schema.Table)
    return table
