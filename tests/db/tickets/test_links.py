"""How tickets stand to each other, told from both ends, without circles."""

import threading
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app.accounts.models import Person, Team
from app.audit.models import Event
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.sla import actions as sla
from app.tickets import actions, links, queries
from app.tickets.links import LinkCircle, Relation
from app.tickets.models import Channel, Link, Ticket
from app.tickets.saying import Body, Source
from tests.cast import Cast, assemble

BY_PAGE = Source(Channel.PAGE)
Make = Callable[[int], list[Ticket]]


def made(s: Session, requester: Person, now: datetime) -> Ticket:
    return actions.open(s, requester=requester, by=None, subject="Printer", body=Body("It burns."), source=BY_PAGE, now=now)


@pytest.fixture
def make(s: Session, cast: Cast, now: datetime) -> Make:
    sla.ensure_defaults(s, now=now)
    return lambda many: [made(s, cast.carol, now) for _ in range(many)]


def told(s: Session, by: Person, ticket: Ticket) -> list[tuple[Relation, int]]:
    s.flush()
    return [(each["relation"], each["ticket"]["number"]) for each in links.listing(s.connection(), by, ticket.number)]


@pytest.mark.parametrize("relation", list(Relation))
def test_a_link_is_told_from_both_ends(s: Session, cast: Cast, now: datetime, make: Make, relation: Relation) -> None:
    first, second = make(2)
    links.link(s, first, relation, second, by=cast.alice, now=now)

    assert told(s, cast.alice, first) == [(relation, second.number)]
    assert told(s, cast.alice, second) == [(relation.other_way, first.number)]
    assert relation.other_way.other_way is relation

    links.unlink(s, second, relation.other_way, first.number, by=cast.alice, now=now)
    assert told(s, cast.alice, first) == told(s, cast.alice, second) == []


def test_both_timelines_tell_of_a_link(s: Session, cast: Cast, now: datetime, make: Make) -> None:
    first, second = make(2)
    s.info["audit"] = []
    links.link(s, first, Relation.PARENT_OF, second, by=cast.alice, now=now)
    links.link(s, first, Relation.PARENT_OF, second, by=cast.alice, now=now)  # is so already

    entries = [(e["ticket"], e["data"]["relation"], e["data"]["other"]) for e in s.info["audit"]]
    assert entries == [(first.number, "parent_of", second.number), (second.number, "child_of", first.number)]
    assert {e["kind"] for e in s.info["audit"]} == {Event.TICKET_LINKED}


def test_a_ticket_is_not_linked_to_itself_or_to_what_is_gone(s: Session, cast: Cast, now: datetime, make: Make) -> None:
    first, second, third = make(3)
    second.trashed_at, third.merged_into = now, first.number

    with pytest.raises(Invalid):
        links.link(s, first, Relation.RELATED_TO, first, by=cast.alice, now=now)
    for gone in (second, third):
        with pytest.raises(Conflict):
            links.link(s, first, Relation.RELATED_TO, gone, by=cast.alice, now=now)
    with pytest.raises(NotFound):
        links.unlink(s, first, Relation.BLOCKS, second.number, by=cast.alice, now=now)


def test_a_hidden_other_end_is_left_out(s: Session, cast: Cast, now: datetime, make: Make) -> None:
    first, second, third = make(3)
    secret = Team(name="Secret", created_at=now)
    s.add(secret)
    s.flush()
    links.link(s, first, Relation.BLOCKS, second, by=cast.bob, now=now)
    links.link(s, first, Relation.BLOCKED_BY, third, by=cast.bob, now=now)
    second.team_id = third.team_id = secret.id

    assert len(told(s, cast.bob, first)) == 2
    assert told(s, cast.alice, first) == told(s, cast.erin, first) == []
    with pytest.raises(NotFound):
        links.visible(s, cast.alice, second.number)


def test_related_tickets_may_stand_in_a_circle_and_other_kinds_are_apart(
    s: Session, cast: Cast, now: datetime, make: Make
) -> None:
    a, b, c = make(3)
    for one, other in ((a, b), (b, c), (c, a), (b, a)):
        links.link(s, one, Relation.RELATED_TO, other, by=cast.alice, now=now)
    links.link(s, a, Relation.PARENT_OF, b, by=cast.alice, now=now)
    links.link(s, a, Relation.BLOCKED_BY, b, by=cast.alice, now=now)

    assert len(told(s, cast.alice, a)) == 4


def test_as_many_links_as_a_ticket_takes(
    s: Session, cast: Cast, now: datetime, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST", 2)
    a, *others = make(4)
    for other in others[:2]:
        links.link(s, a, Relation.BLOCKS, other, by=cast.alice, now=now)

    with pytest.raises(Conflict):
        links.link(s, others[2], Relation.BLOCKS, a, by=cast.alice, now=now)


_MOVE = st.tuples(st.integers(0, 4), st.sampled_from(list(Relation)), st.integers(0, 4), st.booleans())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_MOVE, max_size=25))
def test_links_are_as_a_plain_model_says(
    s: Session, cast: Cast, now: datetime, tickets: list[Ticket], moves: list[tuple[int, Relation, int, bool]]
) -> None:
    s.execute(delete(Link))
    s.expire_all()
    model: set[tuple[int, Relation, int]] = set()  # both directions of each link
    for one, relation, other, remove in moves:
        ends = {(one, relation, other), (other, relation.other_way, one)}
        try:
            if remove:
                links.unlink(s, tickets[one], relation, tickets[other].number, by=cast.alice, now=now)
                expected = model - ends
            else:
                links.link(s, tickets[one], relation, tickets[other], by=cast.alice, now=now)
                expected = model | ends
        except NotFound:
            assert remove
            assert not ends & model
        except Invalid:
            assert one == other
            assert not remove
        except LinkCircle:
            assert _reaches(model, relation, other, one)
        else:
            assert remove or relation is Relation.RELATED_TO or ends <= model or not _reaches(model, relation, other, one)
            model = expected
        s.flush()
    place = {ticket.number: n for n, ticket in enumerate(tickets)}
    for n, ticket in enumerate(tickets):
        assert {(n, r, place[other]) for r, other in told(s, cast.alice, ticket)} == {e for e in model if e[0] == n}


@pytest.fixture
def tickets(make: Make) -> list[Ticket]:
    """Five, to be linked in every way."""
    return make(5)


def _reaches(model: set[tuple[int, Relation, int]], relation: Relation, start: int, goal: int) -> bool:
    reached, waiting = {start}, [start]
    while waiting:
        at = waiting.pop()
        new = {b for a, r, b in model if a == at and r is relation} - reached
        reached |= new
        waiting += new
    return goal in reached


def test_two_links_made_at_once_do_not_close_a_circle(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        sla.ensure_defaults(s, now=now)
        cast = assemble(s, now)
        numbers = [made(s, cast.carol, now).number for _ in range(3)]
    begin, refused = threading.Barrier(3), []

    def tie(one: int, other: int) -> None:
        with database.transaction() as s:
            ticket = queries.by_number(s, one, lock=True)
            begin.wait(5)
            assert ticket
            try:
                links.link(s, ticket, Relation.BLOCKS, links.visible(s, cast.bob, other), by=cast.bob, now=now)
            except LinkCircle:
                refused.append(one)

    pairs = zip(numbers, numbers[1:] + numbers[:1], strict=True)
    threads = [threading.Thread(target=tie, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    with database.transaction() as s:
        assert len(s.scalars(select(Link)).all()) == 2
