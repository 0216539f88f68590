"""Messages that belong elsewhere."""

from datetime import datetime, timedelta

import pytest

from app.accounts.models import Person
from app.audit.models import Event
from app.core.errors import Forbidden, NotFound
from app.core.priority import Priority
from app.db.session import Session
from app.sla import actions as sla
from app.tickets import actions, merging, queries, splitting, tags
from app.tickets.actions import Body, Source
from app.tickets.holding import Merged
from app.tickets.models import Channel, Message, Ticket
from app.tickets.splitting import CantMove
from tests.cast import Cast
from tests.db.tickets.scene import clocks, opened

pytestmark = pytest.mark.db

BY_MAIL = Source(Channel.MAIL)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now - 100 * HOUR)


def says(s: Session, ticket: Ticket, by: Person, now: datetime, words: str = "And the other one too.") -> Message:
    actions.customer_reply(s, ticket, by=by, body=Body(words), source=BY_MAIL, now=now)
    s.flush()
    return queries.messages(s, ticket, notes=True)[-1]


def said(s: Session, ticket: Ticket) -> list[str]:
    return [m.text for m in queries.messages(s, ticket, notes=True)]


def test_a_message_becomes_a_ticket_of_its_author_with_the_same_team_priority_and_tags(
    s: Session, cast: Cast, now: datetime
) -> None:
    ticket = opened(s, cast, now, accepted=True, team=cast.billing)
    actions.prioritise(s, ticket, to=Priority.HIGH, by=cast.erin, now=now)
    tags.put(s, ticket, add=["printer"], by=cast.erin, now=now)
    message = says(s, ticket, cast.carol, now)
    fresh = splitting.split(s, ticket.number, message.id, subject="Another one", by=cast.erin, now=now)
    assert (fresh.requester_id, fresh.organization_id, fresh.team_id) == (
        cast.carol.id,
        cast.carol.organization_id,
        cast.billing.id,
    )
    assert (fresh.priority, fresh.tags, fresh.subject, fresh.status) == (Priority.HIGH, ["printer"], "Another one", "accepted")
    assert (said(s, ticket), said(s, fresh)) == (["It burns."], ["And the other one too."])
    kinds = [(e["kind"], e["ticket"]) for e in s.info["audit"][-3:]]
    assert kinds == [
        (Event.TICKET_SPLIT, ticket.number),
        (Event.TICKET_OPENED, fresh.number),
        (Event.TICKET_ACCEPTED, fresh.number),
    ]


def test_its_clocks_run_since_the_message_was_written(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now - 5 * HOUR, accepted=True)
    message = says(s, ticket, cast.carol, now - 3 * HOUR)
    fresh = splitting.split(s, ticket.number, message.id, subject=None, by=cast.alice, now=now)
    assert {clock.started_at for clock in clocks(s, fresh).values()} == {now - 3 * HOUR}
    assert set(clocks(s, fresh)) == {"first_response", "resolution"}


def test_where_nobody_waits_any_more_nothing_is_promised(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now - 5 * HOUR, accepted=True)
    actions.reply(s, ticket, by=cast.alice, body=Body("Water."), source=BY_MAIL, now=now - 4 * HOUR)
    message = says(s, ticket, cast.carol, now - 3 * HOUR)
    assert clocks(s, ticket)["next_response"].outcome is None
    splitting.split(s, ticket.number, message.id, subject=None, by=cast.alice, now=now)
    assert clocks(s, ticket)["next_response"].outcome == "moved"


def test_what_waited_at_the_gate_waits_there_as_two(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    fresh = splitting.split(s, ticket.number, says(s, ticket, cast.carol, now).id, subject=None, by=cast.alice, now=now)
    assert (fresh.status, fresh.subject, clocks(s, fresh)) == ("new", "Printer", {})


def test_a_colleagues_words_become_the_colleagues_ticket_and_an_agents_the_customers(
    s: Session, cast: Cast, now: datetime
) -> None:
    ticket = opened(s, cast, now, accepted=True)
    daves = says(s, ticket, cast.dave, now)
    answer = actions.reply(s, ticket, by=cast.alice, body=Body("Water."), source=BY_MAIL, now=now)
    assert splitting.split(s, ticket.number, daves.id, subject=None, by=cast.alice, now=now).requester_id == cast.dave.id
    assert splitting.split(s, ticket.number, answer.id, subject=None, by=cast.alice, now=now).requester_id == cast.carol.id


def test_the_only_message_stays(s: Session, cast: Cast, now: datetime) -> None:
    ticket, other = opened(s, cast, now), opened(s, cast, now)
    (only,) = queries.messages(s, ticket, notes=True)
    with pytest.raises(CantMove, match="only message"):
        splitting.split(s, ticket.number, only.id, subject=None, by=cast.alice, now=now)
    with pytest.raises(CantMove, match="only message"):
        splitting.move(s, ticket.number, only.id, to=other.number, by=cast.alice, now=now, reveal=True)


def test_a_message_moves_and_moves_back(s: Session, cast: Cast, now: datetime) -> None:
    ticket, other = opened(s, cast, now), opened(s, cast, now, by=cast.dave)
    message = says(s, ticket, cast.carol, now)
    splitting.move(s, ticket.number, message.id, to=other.number, by=cast.alice, now=now, reveal=True)
    assert (said(s, ticket), said(s, other)) == (["It burns."], ["It burns.", "And the other one too."])
    told = s.info["audit"][-2:]
    assert [(e["kind"], e["ticket"]) for e in told] == [("ticket.message_moved", t.number) for t in (ticket, other)]
    assert [(e["data"]["moved_from"], e["data"]["moved_to"]) for e in told] == [(ticket.number, other.number)] * 2
    splitting.move(s, other.number, message.id, to=ticket.number, by=cast.alice, now=now, reveal=True)
    assert (said(s, ticket), said(s, other)) == (["It burns.", "And the other one too."], ["It burns."])


def test_whoever_waits_waits_where_the_message_went(s: Session, cast: Cast, now: datetime) -> None:
    ticket, other = opened(s, cast, now - 9 * HOUR, accepted=True), opened(s, cast, now - 9 * HOUR, accepted=True)
    for each in (ticket, other):
        actions.reply(s, each, by=cast.alice, body=Body("Water."), source=BY_MAIL, now=now - 5 * HOUR)
    message = says(s, ticket, cast.carol, now - 3 * HOUR)
    splitting.move(s, ticket.number, message.id, to=other.number, by=cast.alice, now=now, reveal=True)
    assert clocks(s, ticket)["next_response"].outcome == "moved"
    assert (clocks(s, other)["next_response"].outcome, clocks(s, other)["next_response"].started_at) == (None, now - 3 * HOUR)


def test_a_message_never_moves_to_another_customer(s: Session, cast: Cast, now: datetime) -> None:
    ours, hers = opened(s, cast, now), opened(s, cast, now, by=cast.mallory)
    for ticket, by, to in ((ours, cast.carol, hers), (hers, cast.mallory, ours)):
        message = says(s, ticket, by, now)
        with pytest.raises(CantMove, match="different customers"):
            splitting.move(s, ticket.number, message.id, to=to.number, by=cast.bob, now=now, reveal=True)


def test_a_message_of_another_ticket_is_none_of_this_one(s: Session, cast: Cast, now: datetime) -> None:
    """Its id is guessed and the ticket in the path is one's own."""
    mine, billing, other = opened(s, cast, now), opened(s, cast, now, team=cast.billing), opened(s, cast, now)
    theirs = says(s, billing, cast.carol, now)
    with pytest.raises(NotFound):
        splitting.split(s, mine.number, theirs.id, subject=None, by=cast.alice, now=now)
    with pytest.raises(NotFound):
        splitting.move(s, mine.number, theirs.id, to=other.number, by=cast.alice, now=now, reveal=True)
    with pytest.raises(NotFound, match=f"no ticket {billing.number} here"):
        splitting.move(s, mine.number, says(s, mine, cast.carol, now).id, to=billing.number, by=cast.alice, now=now, reveal=True)
    for person in (cast.carol, cast.mallory):
        with pytest.raises((NotFound, Forbidden)):
            splitting.split(s, mine.number, theirs.id, subject=None, by=person, now=now)


def test_what_came_with_a_merged_ticket_stays_with_it(s: Session, cast: Cast, now: datetime) -> None:
    a, b, other = opened(s, cast, now), opened(s, cast, now), opened(s, cast, now)
    message, own = says(s, a, cast.carol, now), says(s, other, cast.carol, now)
    merging.merge(s, a.number, b.number, by=cast.alice, now=now, reveal=True)
    with pytest.raises(CantMove, match=f"came with ticket {a.number}"):
        splitting.split(s, b.number, message.id, subject=None, by=cast.alice, now=now)
    with pytest.raises(Merged):
        splitting.split(s, a.number, message.id, subject=None, by=cast.alice, now=now)
    with pytest.raises(Merged):
        splitting.move(s, other.number, own.id, to=a.number, by=cast.alice, now=now, reveal=True)
    with pytest.raises(CantMove, match="on this ticket already"):
        splitting.move(s, other.number, own.id, to=other.number, by=cast.alice, now=now, reveal=True)
