"""A desk with the standard promises."""

from datetime import datetime

import pytest

from app.db.session import Database, Session
from app.db.session import now as database_now
from app.sla import actions


@pytest.fixture
def standard(s: Session, now: datetime) -> None:
    """The promises of a new desk, in the transaction that rolls back."""
    actions.ensure_defaults(s, now=now)


@pytest.fixture
def desk(database: Database) -> Database:
    """A database of the test's own with the promises of a new desk, committed."""
    with database.transaction() as s:
        actions.ensure_defaults(s, now=database_now(s))
    return database
