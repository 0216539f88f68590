"""The same for what takes a ticket, a calendar or a letter to go wrong."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.db.session import Session
from app.hours import actions as hours
from app.hours.models import Calendar
from app.sla import actions as sla
from app.sla import calendars, policies, queries, rebuild
from app.sla.models import Escalation, Happening
from app.tickets import actions, deadlines, facts, merging
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from app.tickets.rules import Status
from tests.cast import Cast
from tests.db.tickets.scene import BY_API, BY_MAIL, clocks, opened

pytestmark = pytest.mark.db

HOUR = timedelta(hours=1)
BOB = (7, "Bob <bob@desk.example>")


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def count(s: Session, table: type[Happening | Escalation]) -> int:
    return s.scalar(select(func.count()).select_from(table)) or 0


def test_zammad_534_a_changed_calendar_changes_what_is_due(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, accepted=True)
    before = clocks(s, ticket)["first_response"].due_at
    calendar = s.scalars(select(Calendar)).one()
    day = now.date().isoformat()
    closed = {"zone": "UTC", "week": hours.ROUND_THE_CLOCK, "closed": [{"date": day, "name": "Closed"}], "instead": []}
    calendars.change(s, calendar, closed, by=BOB, now=now)
    while rebuild.step(s, facts.of_many):
        pass
    after = clocks(s, ticket)["first_response"].due_at
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert before is not None
    assert after == midnight + 8 * HOUR > before


def test_zammad_1620_neither_a_note_nor_a_machine_fulfils_or_starts_anything(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, accepted=True)
    before = {name: clock.epoch for name, clock in clocks(s, ticket).items()}
    actions.note(s, ticket, by=cast.alice, body=Body("Known."), source=BY_API, now=now + HOUR)
    away = Source(Channel.MAIL, auto=True)
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("I am away."), source=away, now=now + HOUR)
    assert {name: clock.epoch for name, clock in clocks(s, ticket).items()} == before


def test_zammad_904_nobody_is_told_of_a_ticket_that_was_merged(s: Session, cast: Cast, now: datetime) -> None:
    old, other = opened(s, cast, now - 9 * HOUR, accepted=True), opened(s, cast, now, accepted=True)
    merging.merge(s, old.number, other.number, by=cast.alice, now=now - 8.5 * HOUR)
    assert deadlines.process_due(s) == []
    assert (count(s, Happening), count(s, Escalation)) == (0, 0)


def test_zammad_4432_what_is_late_is_told_once_however_often_anybody_looks(s: Session, cast: Cast, now: datetime) -> None:
    opened(s, cast, now - 99 * HOUR, accepted=True)
    assert len(deadlines.process_due(s)) == 2
    told = count(s, Escalation)
    assert told > 0
    assert [deadlines.process_due(s) for _ in range(3)] == [[], [], []]
    assert count(s, Escalation) == told


def test_znuny_514_a_ticket_that_an_agent_opened_owes_a_first_answer_when_its_customer_asks(
    s: Session, cast: Cast, now: datetime
) -> None:
    said = {"requester": cast.carol, "by": cast.alice, "subject": "Printer", "body": Body("We saw smoke."), "source": BY_API}
    ticket = actions.open(s, **said, now=now, gate=False)  # type: ignore[arg-type]
    assert set(clocks(s, ticket)) == {"resolution"}
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("Is it safe?"), source=BY_MAIL, now=now + HOUR)
    assert clocks(s, ticket)["first_response"].started_at == now + HOUR


def test_znuny_514_it_does_also_where_no_resolution_is_promised(s: Session, cast: Cast, now: datetime) -> None:
    policy = policies.held(s, queries.policies(s)[0].id)
    nothing = dict.fromkeys(("low", "medium", "high", "urgent"))
    policies.change(s, policy, {"targets": {"resolution": nothing}}, by=BOB, now=now)
    said = {"requester": cast.carol, "by": cast.alice, "subject": "Printer", "body": Body("We saw smoke."), "source": BY_API}
    ticket = actions.open(s, **said, now=now, gate=False)  # type: ignore[arg-type]
    assert clocks(s, ticket) == {}
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("Is it safe?"), source=BY_MAIL, now=now + HOUR)
    assert {name: clock.started_at for name, clock in clocks(s, ticket).items()} == {"first_response": now + HOUR}


def test_chatwoot_10178_an_answer_on_a_resolved_ticket_starts_nothing(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast, now, accepted=True)
    actions.change_status(s, ticket, to=Status.RESOLVED, by=cast.alice, now=now + HOUR)
    before = {name: clock.epoch for name, clock in clocks(s, ticket).items()}
    actions.reply(s, ticket, by=cast.alice, body=Body("One more thing."), source=BY_API, now=now + 2 * HOUR)
    assert {name: clock.epoch for name, clock in clocks(s, ticket).items()} == before
