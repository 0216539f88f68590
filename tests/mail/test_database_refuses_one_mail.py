"""One mail that the database takes too long over, refuses, or goes away at: it waits or is set aside, and holds up nobody."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from app.db.session import Database, DatabaseGone
from app.entry import mail_poller
from app.entry.mail_poller import Poller
from app.intake import actions
from app.intake.processing import TOO_LONG
from image.watch import SILENCE
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail

# A lock that nobody lets go of would be waited for as long as for any other.
TROUBLE = """
CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '200ms' AS
$$ BEGIN IF NEW.subject ~ '{at}' THEN {what}; END IF; RETURN NEW; END $$;
CREATE TRIGGER trouble BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION trouble();
"""
SLEEPS = "PERFORM pg_sleep(30)"
RAISES = "RAISE EXCEPTION 'no'"
LOCKED = "PERFORM pg_advisory_xact_lock(4343)"
GOES_AWAY = "PERFORM pg_terminate_backend(pg_backend_pid())"
THREE_TIMES, NEVER, DONE = ("quarantined", 3), ("new", 0), ("done", 0)


@pytest.fixture
def poller(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Poller]:
    """A poller whose statements may take a second, and that has little rest between rounds."""
    monkeypatch.setattr(mail_poller, "LOOK_AROUND", 0.2)
    database = Database(desk.database.dsn, patience=1)
    worker: Any = SimpleNamespace(settings=desk.boot(), stop=threading.Event(), beat=lambda: None)
    made = Poller(worker, database, desk.reader)
    yield made
    made.close()
    for thread in made._mailboxes.values():
        thread.join()
    database.close()


@pytest.fixture
def db(desk: Desk) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(desk.database.dsn, autocommit=True) as c:
        yield c


def trouble(db: "psycopg.Connection[Any]", what: str, *, at: str = "^odd$") -> None:
    """Has the database do this at every ticket with such a subject."""
    db.execute(TROUBLE.format(at=at, what=what).encode())


def come(peer: Server) -> None:
    """The odd mail comes first."""
    peer.add(*(mail(f"{n}", subject="good" if n else "odd", mail_id=f"<{n}@x>") for n in range(4)))


def outcomes(desk: Desk) -> list[tuple[str, int]]:
    """The state of each mail, and how many tries failed, in the order they came."""
    return [(row.state.value, row.attempts) for row in desk.ledger()]


def rounds(poller: Poller, true: Callable[[], bool]) -> None:
    """Rounds as the process makes them, until it is so: whatever one meets, there is another."""

    def so() -> bool:
        with contextlib.suppress(DatabaseGone):
            poller.once()
        return true()

    eventually(so, within=60)


@pytest.mark.parametrize(("what", "reason"), [(SLEEPS, TOO_LONG), (RAISES, "RaiseException: no")])
def test_a_mail_that_the_database_does_not_take_is_shown_to_a_person_after_three_tries(
    desk: Desk, peer: Server, poller: Poller, db: "psycopg.Connection[Any]", what: str, reason: str
) -> None:
    trouble(db, what)
    come(peer)
    rounds(poller, lambda: outcomes(desk) == [THREE_TIMES, DONE, DONE, DONE])
    odd, *good = desk.ledger()
    assert all(each.processed_at < odd.processed_at for each in good if each.processed_at and odd.processed_at)
    assert str(odd.reason).startswith(reason)
    assert db.execute("SELECT subject FROM ticket WHERE number = %s", [odd.ticket]).fetchone() == ("Unreadable mail",)


def test_where_not_even_a_ticket_can_be_made_in_time_the_mail_waits_in_the_ledger(
    desk: Desk, peer: Server, poller: Poller, db: "psycopg.Connection[Any]"
) -> None:
    trouble(db, SLEEPS, at="^odd$|^Unreadable")
    come(peer)
    rounds(poller, lambda: outcomes(desk) == [THREE_TIMES, DONE, DONE, DONE])
    odd = desk.ledger()[0]
    assert (odd.reason, odd.ticket) == (TOO_LONG, None)
    with desk.database.transaction() as s:
        assert actions.raw(s, desk.settings(), odd.id) == peer.mails[1].raw


@pytest.mark.parametrize("what", [LOCKED, GOES_AWAY])
def test_what_is_no_mails_fault_is_not_counted_and_holds_up_nobody(
    desk: Desk, peer: Server, poller: Poller, db: "psycopg.Connection[Any]", what: str
) -> None:
    db.execute("SELECT pg_advisory_lock(4343)")
    trouble(db, what)
    come(peer)
    rounds(poller, lambda: outcomes(desk) == [NEVER, DONE, DONE, DONE])
    left = iter(range(5))
    rounds(poller, lambda: next(left, None) is None)
    assert outcomes(desk)[0] == NEVER
    db.execute("DROP TRIGGER trouble ON ticket")
    rounds(poller, lambda: outcomes(desk) == [DONE, DONE, DONE, DONE])


def test_a_statement_ends_before_its_process_is_taken_for_stuck() -> None:
    """Else it would be killed at every try, before that is counted."""
    assert mail_poller.PATIENCE <= SILENCE - 10
