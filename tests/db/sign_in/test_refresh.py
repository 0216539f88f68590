"""Refresh tokens: each is exchanged once, and a stolen one ends what it was stolen from."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import select

from app.accounts import actions, sessions
from app.accounts.models import SignIn
from app.accounts.rules import Door, Role
from app.audit.models import Entry, Event
from app.core.errors import NotSignedIn
from app.db.session import Database, Session
from app.db.session import now as database_now


def signed_in(database: Database) -> str:
    with database.transaction() as s:
        now = database_now(s)
        erin = actions.add(s, email="erin@desk.example", name="Erin", role=Role.AGENT, now=now)
        return sessions.sign_in(s, erin, door=Door.API, source="", now=now).refresh or ""


def exchange(database: Database, token: str) -> str | None:
    try:
        with database.transaction() as s:
            return sessions.refresh(s, token, now=database_now(s), source="192.0.2.66")[1].refresh
    except NotSignedIn:
        return None


def alive(database: Database) -> bool:
    with database.transaction() as s:
        return s.scalars(select(SignIn.ended_at)).one() is None


def test_a_token_that_was_exchanged_ends_the_session_although_it_is_refused(database: Database) -> None:
    first = signed_in(database)
    second = exchange(database, first)
    third = exchange(database, second or "")
    assert third
    assert exchange(database, first) is None
    assert not alive(database)
    assert exchange(database, third) is None
    with database.transaction() as s:
        [told] = s.scalars(select(Entry.data).where(Entry.kind == Event.REFRESH_REUSED))
    assert (told["person"], told["source"]) == ("erin@desk.example", "192.0.2.66")


def test_a_made_up_token_ends_nothing(database: Database) -> None:
    signed_in(database)
    for odd in ("", "made up", "\x00", "ü" * 1000):
        assert exchange(database, odd) is None
    assert alive(database)


def test_a_token_exchanged_by_two_at_once_is_worth_nothing_to_either(database: Database) -> None:
    """Nobody can tell the owner from the thief."""
    first = signed_in(database)
    with ThreadPoolExecutor(5) as pool:
        gained = [token for token in pool.map(lambda _: exchange(database, first), range(5)) if token]
    assert len(gained) == 1
    assert not alive(database)
    assert exchange(database, gained[0]) is None


def test_what_is_refused_otherwise_changes_nothing(s: Session, now: datetime) -> None:
    with pytest.raises(NotSignedIn):
        sessions.refresh(s, "nothing", now=now)
    assert not s.info.get("audit")
