"""Counting what is read."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from app.db.session import Database


@pytest.fixture
def reads(database: Database) -> Iterator[list[str]]:
    """Every statement that a connection for reading is sent from here on."""
    sent: list[str] = []

    def remember(_c: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(database._reader, "before_cursor_execute", remember)
    yield sent
    event.remove(database._reader, "before_cursor_execute", remember)
