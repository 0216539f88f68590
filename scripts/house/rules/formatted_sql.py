"""Harm: SQL put together from strings is an injection as soon as one of them came from outside.

The classic ways in are a search box, a sort column and a filter's key. Values are bound parameters; names of columns
come from a fixed mapping of SQLAlchemy columns.
"""

import ast
import re
from collections.abc import Iterator

from scripts.house.names import dotted, imported
from scripts.house.source import Source

STATEMENT = re.compile(
    r"\s*(SELECT\s.*\b(FROM|AS)\b|SELECT\s+\w+\(|INSERT\s+INTO\b|UPDATE\s+\S+\s+SET\b|DELETE\s+FROM\b|WITH\s+\S+.*\bAS\b"
    r"|(CREATE|ALTER|DROP|TRUNCATE)\s+(TABLE|INDEX|DATABASE|ROLE|USER|SCHEMA|VIEW|TYPE)\b|(?-i:LISTEN|NOTIFY)\s"
    r"|SET\s+(LOCAL|SESSION|ROLE)\b)",
    re.IGNORECASE | re.DOTALL,
)
RUNNERS = {"execute", "executemany", "exec_driver_sql", "scalar", "scalars"}
WRAPPERS = {"sqlalchemy.text", "sqlalchemy.literal_column", "sqlalchemy.sql.text", "psycopg.sql.SQL"}


def check(source: Source) -> Iterator[tuple[int, str]]:
    """A string in app/ that is put together and reads like SQL, or is handed to something that runs SQL."""
    if not source.within("app/"):
        return
    origins = imported(source.tree)
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and node.args]
    run = {call.args[0] for call in calls if runs_sql(call.func, origins)}
    expressions = (node for node in ast.walk(source.tree) if isinstance(node, ast.expr))
    lines = {node.lineno for node in expressions if is_formatted_sql(node, certainly=node in run)}
    for line in sorted(lines):
        yield line, "bind values as parameters and take names from a fixed mapping"


def runs_sql(called: ast.expr, origins: dict[str, str]) -> bool:
    """Whether a call takes SQL as its first argument."""
    method = isinstance(called, ast.Attribute) and called.attr in RUNNERS
    return method or dotted(called, origins) in WRAPPERS


def is_formatted_sql(node: ast.expr, *, certainly: bool) -> bool:
    """Whether an expression is a string put together at run time that holds SQL."""
    words = template(node)
    return words is not None and (certainly or STATEMENT.match(words) is not None)


def template(node: ast.expr) -> str | None:
    """The fixed words of a string that is put together at run time: f"…", "…" % x, "…".format(x), "…" + x."""
    match node:
        case ast.JoinedStr(values=values) if any(isinstance(each, ast.FormattedValue) for each in values):
            return fixed(node)
        case ast.BinOp(left=ast.Constant(value=str(words)), op=ast.Mod()):
            return words
        case ast.BinOp(op=ast.Add()):
            return fixed(node) or None
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(words)), attr="format" | "format_map")):
            return words
    return None


def fixed(node: ast.expr) -> str:
    """The literal text of an expression, with "?" for each part that is filled in; "" where it has no text at all."""
    match node:
        case ast.Constant(value=str(words)):
            return words
        case ast.JoinedStr(values=values):
            return "".join(fixed(each) or "?" for each in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if fixed(left) or fixed(right):
            return (fixed(left) or "?") + (fixed(right) or "?")
    return ""
