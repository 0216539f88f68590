"""Hand-written SQL, straight to the driver: for what every request asks, and for the answers that PostgreSQL writes itself.

SQLAlchemy's result objects cost as much as such a query does; a page of tickets is one row with one text.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

from sqlalchemy import Connection


def rows(c: Connection, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a query with placeholders like %(name)s. JSON comes as Python values, or as text where it is cast to it."""
    driver: Any = c.connection.driver_connection
    found: list[tuple[Any, ...]] = driver.execute(query, values).fetchall()
    return found
