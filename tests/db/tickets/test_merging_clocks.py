"""Clocks of tickets that become one, and two again."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.db.session import Session
from app.sla import actions as sla
from app.sla import policies, queries
from app.sla.models import Clock, Happening
from app.tickets import actions, deadlines, merging, splitting
from app.tickets.actions import Body
from app.tickets.models import Message, Ticket
from app.tickets.rules import Status
from tests.cast import Cast
from tests.db.tickets.scene import BY_API, BY_MAIL, clocks, opened

pytestmark = pytest.mark.db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def answered(s: Session, cast: Cast, at: datetime) -> Ticket:
    """A ticket that was accepted and answered then."""
    ticket = opened(s, cast, at, accepted=True)
    actions.reply(s, ticket, by=cast.alice, body=Body("Which one?"), source=BY_API, now=at)
    return ticket


def asks(s: Session, cast: Cast, ticket: Ticket, at: datetime) -> None:
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("The red one."), source=BY_MAIL, now=at)


def right(s: Session) -> bool:
    return queries.drifts(s, after=0, limit=100) == ([], None)


def test_a_customer_who_waited_longer_on_the_other_ticket_has_waited_that_long(s: Session, cast: Cast, now: datetime) -> None:
    one, other = (answered(s, cast, now - 9 * HOUR) for _ in range(2))
    asks(s, cast, one, now - 5 * HOUR)
    asks(s, cast, other, now - 2 * HOUR)
    merging.merge(s, one.number, other.number, by=cast.alice, now=now)
    assert clocks(s, other)["next_response"].started_at == now - 5 * HOUR
    assert clocks(s, other)["next_response"].due_at == now + 3 * HOUR
    assert right(s)
    merging.unmerge(s, one.number, by=cast.alice, now=now)
    assert clocks(s, other)["next_response"].started_at == now - 2 * HOUR
    assert clocks(s, one)["next_response"].started_at == now - 5 * HOUR
    assert right(s)


def test_one_who_waited_shorter_there_changes_nothing(s: Session, cast: Cast, now: datetime) -> None:
    one, other = (answered(s, cast, now - 9 * HOUR) for _ in range(2))
    asks(s, cast, one, now - 1 * HOUR)
    asks(s, cast, other, now - 2 * HOUR)
    merging.merge(s, one.number, other.number, by=cast.alice, now=now)
    assert clocks(s, other)["next_response"].started_at == now - 2 * HOUR


def test_a_question_brought_to_a_ticket_where_nobody_waits_has_waited_since_it_was_asked(
    s: Session, cast: Cast, now: datetime
) -> None:
    one = answered(s, cast, now - 9 * HOUR)
    asks(s, cast, one, now - 5 * HOUR)
    other = answered(s, cast, now - 4 * HOUR)
    merging.merge(s, one.number, other.number, by=cast.alice, now=now)
    assert clocks(s, other)["next_response"].started_at == now - 5 * HOUR
    assert right(s)
    merging.unmerge(s, one.number, by=cast.alice, now=now)
    assert clocks(s, other)["next_response"].outcome == "moved"


def test_a_message_that_is_moved_takes_its_wait_along(s: Session, cast: Cast, now: datetime) -> None:
    one, other = (answered(s, cast, now - 9 * HOUR) for _ in range(2))
    asks(s, cast, one, now - 5 * HOUR)
    asks(s, cast, one, now - 3 * HOUR)
    first = s.scalars(select(Message.id).where(Message.ticket == one.number).order_by(Message.id)).all()[2]
    splitting.move(s, one.number, first, to=other.number, by=cast.alice, now=now)
    assert clocks(s, other)["next_response"].started_at == now - 5 * HOUR
    assert clocks(s, one)["next_response"].started_at == now - 3 * HOUR
    assert right(s)


def earliest(s: Session, now: datetime) -> None:
    policy = policies.held(s, queries.policies(s)[0].id)
    policies.change(s, policy, {"merging": "earliest"}, by=(1, "Bob"), now=now)


def test_a_resolution_stays_as_it_was_unless_the_policy_says_otherwise(s: Session, cast: Cast, now: datetime) -> None:
    one, other = answered(s, cast, now - 9 * HOUR), answered(s, cast, now - 4 * HOUR)
    merging.merge(s, one.number, other.number, by=cast.alice, now=now)
    assert clocks(s, other)["resolution"].started_at == now - 4 * HOUR


def test_where_it_does_it_counts_from_the_older_ticket_without_its_pauses_and_back(s: Session, cast: Cast, now: datetime) -> None:
    earliest(s, now)
    one = opened(s, cast, now - 9 * HOUR, accepted=True)
    actions.change_status(s, one, to=Status.WAITING_CUSTOMER, by=cast.alice, now=now - 8 * HOUR)
    other = answered(s, cast, now - 4 * HOUR)
    due = clocks(s, other)["resolution"].due_at
    merging.merge(s, one.number, other.number, by=cast.alice, now=now)
    found = clocks(s, other)["resolution"]
    assert (found.started_at, found.consumed, found.due_at) == (now - 9 * HOUR, HOUR, now - 4 * HOUR + 71 * HOUR)
    assert right(s)
    merging.unmerge(s, one.number, by=cast.alice, now=now)
    assert (clocks(s, other)["resolution"].started_at, clocks(s, other)["resolution"].due_at) == (now - 4 * HOUR, due)
    assert right(s)


def test_what_is_merged_away_is_missed_by_nobody(s: Session, cast: Cast, now: datetime) -> None:
    one, other = opened(s, cast, now - 99 * HOUR, accepted=True), answered(s, cast, now)
    merging.merge(s, one.number, other.number, by=cast.alice, now=now - 98 * HOUR)
    deadlines.process_due(s)
    assert {(clock.outcome, clock.breached_at) for clock in clocks(s, one).values()} == {("merged", None)}
    assert (
        s.scalars(select(Happening.id).join(Clock, Clock.id == Happening.clock_id).where(Clock.ticket == one.number)).all() == []
    )
