"""Merging while somebody else does something to the same tickets."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest

from app.core.errors import Conflict
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.sla import actions as sla
from app.tickets import actions, merging, queries
from app.tickets.actions import Body, Source
from app.tickets.holding import Merged, Moved, with_its_end
from app.tickets.merging import CantMerge
from app.tickets.models import Channel
from tests.cast import Cast, assemble

pytestmark = pytest.mark.db

BY_MAIL = Source(Channel.MAIL)


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.transaction() as s:
        sla.ensure_defaults(s, now=database_now(s))
        return assemble(s, database_now(s))


def opened(database: Database, cast: Cast, count: int) -> list[int]:
    with database.transaction() as s:
        now = database_now(s)
        said = {"requester": s.merge(cast.carol), "by": None, "subject": "x", "source": BY_MAIL, "now": now, "gate": False}
        return [actions.open(s, body=Body(f"{n}"), **said).number for n in range(count)]  # type: ignore[arg-type]


def merge(s: Session, cast: Cast, source: int, into: int) -> None:
    merging.merge(s, source, into, by=s.merge(cast.alice), now=database_now(s), reveal=True)


def answer(s: Session, cast: Cast, number: int) -> int:
    ticket = with_its_end(s, number)
    assert ticket is not None
    said = {"by": s.merge(cast.carol), "body": Body("Hurry"), "source": BY_MAIL, "now": database_now(s)}
    return actions.customer_reply(s, ticket, **said).number  # type: ignore[arg-type]


def until_held(act: Callable[[], None]) -> None:
    """As every door does: what was merged meanwhile is held anew, together with where it went."""
    for _ in range(10):
        try:
            return act()
        except Moved:
            continue
    raise AssertionError("it was merged again and again")


def meanwhile(database: Database, first: Callable[[Session], object], second: Callable[[Session], object]) -> Future[object]:
    """`second` begins before `first` is committed, and has to wait for it."""

    def run() -> object:
        with database.transaction() as s:
            return second(s)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as s:
            first(s)
            waits = pool.submit(run)
            time.sleep(0.3)
            assert not waits.done()
        waits.exception(timeout=10)
    return waits


def test_two_that_merge_each_into_the_other_make_no_circle(database: Database, cast: Cast) -> None:
    a, b = opened(database, cast, 2)
    late = meanwhile(database, lambda s: merge(s, cast, a, b), lambda s: merge(s, cast, b, a))
    assert isinstance(late.exception(), CantMerge)


def test_a_ticket_is_merged_by_the_first_alone(database: Database, cast: Cast) -> None:
    a, b, c = opened(database, cast, 3)
    late = meanwhile(database, lambda s: merge(s, cast, a, b), lambda s: merge(s, cast, a, c))
    assert isinstance(late.exception(), Merged)


def test_what_is_being_merged_away_is_not_merged_into(database: Database, cast: Cast) -> None:
    a, b, c = opened(database, cast, 3)
    late = meanwhile(database, lambda s: merge(s, cast, b, c), lambda s: merge(s, cast, a, b))
    assert isinstance(late.exception(), CantMerge)


def test_an_answer_that_waited_for_the_merge_lands_where_the_ticket_went(database: Database, cast: Cast) -> None:
    a, b = opened(database, cast, 2)
    assert meanwhile(database, lambda s: merge(s, cast, a, b), lambda s: answer(s, cast, a)).result() == b


def test_a_merge_that_waited_for_an_answer_takes_it_along(database: Database, cast: Cast) -> None:
    a, b = opened(database, cast, 2)
    meanwhile(database, lambda s: answer(s, cast, a), lambda s: merge(s, cast, a, b)).result()
    with database.transaction() as s:
        into = queries.by_number(s, b)
        assert into is not None
        assert [m.text for m in queries.messages(s, into, notes=False)] == ["0", "1", "Hurry"]


def test_many_at_once_leave_a_forest_and_lose_no_message(database: Database, cast: Cast) -> None:
    numbers = opened(database, cast, 5)
    start = threading.Barrier(4)

    def act(turn: int, a: int, b: int) -> None:
        with database.transaction() as s:
            if turn % 4 == 3:
                answer(s, cast, a)
            elif turn % 3 == 2:
                merging.unmerge(s, a, by=s.merge(cast.alice), now=database_now(s))
            else:
                merge(s, cast, a, b)

    def play(which: int) -> None:
        start.wait()
        for turn in range(8):
            a, b = numbers[(which + turn) % 5], numbers[(which * 2 + turn * 3 + 1) % 5]
            with suppress(Conflict):
                until_held(lambda turn=turn, a=a, b=b: act(turn, a, b))  # type: ignore[misc]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(play, range(4))) == [None] * 4
    with database.transaction() as s:
        tickets = {n: queries.by_number(s, n) for n in numbers}
        ends = [n for n, t in tickets.items() if t and t.merged_into is None]
        read = [m.text for n in ends if (t := tickets[n]) for m in queries.messages(s, t, notes=True)]
        assert sorted(set(read)) == ["0", "1", "2", "3", "4", "Hurry"]
        assert len(read) == 5 + 4 * 2
        for ticket in tickets.values():
            assert ticket is not None
            assert (ticket.merged_into is None) is (ticket.conversation is None)
            assert ticket.conversation is None or ticket.conversation in ends
