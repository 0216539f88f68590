"""The trash."""

from datetime import datetime, timedelta

import pytest

from app.accounts.rules import Verb, may
from app.core.errors import Conflict, Invalid
from app.db.session import Session
from app.sla import actions as sla
from app.tickets import actions, trash
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from app.tickets.rules import Status
from app.tickets.trash import NotInTrash
from tests.cast import Cast
from tests.db.tickets.scene import BY_MAIL, clocks, opened, told


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def test_who_when_and_why_are_kept_and_its_customers_know_nothing_of_it_any_more(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    trash.discard(s, ticket, reason=" Advertising\n", by=cast.alice, now=now)
    assert (ticket.trashed_at, ticket.trashed_by_id, ticket.trash_reason) == (now, cast.alice.id, "Advertising")
    assert not may(cast.carol, Verb.SEE, ticket)
    assert not may(cast.dave, Verb.SEE, ticket)
    assert may(cast.alice, Verb.SEE, ticket)
    assert told(s, ticket) == [("ticket.trashed", {"reason": "Advertising"})]


@pytest.mark.parametrize("reason", ["", " \n ", "\u202e"])
def test_it_takes_a_reason(s: Session, cast: Cast, now: datetime, reason: str) -> None:
    with pytest.raises(Invalid, match="Say why"):
        trash.discard(s, opened(s, cast, now), reason=reason, by=cast.alice, now=now)


def test_its_clocks_stand_still_and_the_time_away_does_not_count(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, accepted=True)
    due = clocks(s, ticket)["resolution"].due_at
    assert due
    trash.discard(s, ticket, reason="Spam", by=cast.alice, now=now)
    assert clocks(s, ticket)["resolution"].next_at is None
    week = timedelta(days=7)
    trash.take_back(s, ticket, by=cast.bob, now=now + week)
    assert clocks(s, ticket)["resolution"].due_at == due + week
    assert clocks(s, ticket)["resolution"].breached_at is None
    assert told(s, ticket)[-1] == ("ticket.undeleted", {"reason": "Spam", "since": now.isoformat()})
    assert (ticket.trashed_at, ticket.trashed_by_id, ticket.trash_reason) == (None, None, None)


def test_it_goes_in_once_and_comes_out_once(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    with pytest.raises(NotInTrash):
        trash.take_back(s, ticket, by=cast.alice, now=now)
    trash.discard(s, ticket, reason="Spam", by=cast.alice, now=now)
    with pytest.raises(Conflict, match="in the trash"):
        trash.discard(s, ticket, reason="Spam", by=cast.alice, now=now)


def test_what_is_part_of_another_ticket_has_to_be_taken_out_of_it_first(s: Session, cast: Cast, now: datetime) -> None:
    whole, part = opened(s, cast, now), opened(s, cast, now)
    part.merged_into = part.conversation = whole.number
    with pytest.raises(Conflict, match=f"part of ticket {whole.number}"):
        trash.discard(s, part, reason="Spam", by=cast.alice, now=now)


def test_its_customers_mail_opens_a_follow_up(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, team=cast.billing)
    trash.discard(s, ticket, reason="Spam", by=cast.erin, now=now)
    fresh = actions.customer_reply(s, ticket, by=cast.carol, body=Body("But it is real!"), source=BY_MAIL, now=now)
    assert (fresh.follows, fresh.status, fresh.team_id) == (ticket.number, Status.NEW, cast.billing.id)
    assert ticket.trashed_at


def test_what_a_machine_sends_to_it_opens_nothing(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now)
    trash.discard(s, ticket, reason="Spam", by=cast.alice, now=now)
    away = Source(Channel.MAIL, auto=True)
    assert actions.customer_reply(s, ticket, by=cast.carol, body=Body("I am away."), source=away, now=now) is ticket
