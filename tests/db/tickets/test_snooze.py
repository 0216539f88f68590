"""Sleeping tickets."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.core.errors import Conflict, Invalid
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.outbox.models import Letter
from app.tickets import actions, change, snooze
from app.tickets.actions import Body
from app.tickets.change import Change
from app.tickets.models import Ticket, Watcher
from app.tickets.rules import Status, WatcherKind
from tests.cast import Cast, assemble
from tests.db.tickets.scene import BY_MAIL, opened, told

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def asleep(s: Session, cast: Cast, now: datetime, *, due: bool = True) -> Ticket:
    """One that sleeps; its time has come where it is `due`."""
    ticket = opened(s, cast, now, accepted=True)
    snooze.until(s, ticket, now + HOUR, by=cast.alice, now=now)
    if due:
        ticket.snoozed_until = now - SECOND
    s.flush()
    return ticket


def letters(s: Session) -> list[tuple[str, str]]:
    s.flush()
    return [(str(to), str(subject)) for to, subject in s.execute(select(Letter.to_address, Letter.subject)) if "back" in subject]


@pytest.mark.parametrize("at", [timedelta(0), -SECOND, snooze.LONGEST + SECOND])
def test_only_a_time_ahead_and_within_a_year_will_do(s: Session, cast: Cast, now: datetime, at: timedelta) -> None:
    with pytest.raises(Invalid, match="at most 365 days"):
        snooze.until(s, opened(s, cast, now), now + at, by=cast.alice, now=now)


def test_a_time_without_a_zone_is_none(s: Session, cast: Cast, now: datetime) -> None:
    with pytest.raises(Invalid, match="time zone"):
        snooze.until(s, opened(s, cast, now), (now + HOUR).replace(tzinfo=None), by=cast.alice, now=now)


def test_what_is_done_does_not_sleep(s: Session, cast: Cast, now: datetime) -> None:
    ticket = asleep(s, cast, now, due=False)
    actions.change_status(s, ticket, to=Status.RESOLVED, by=cast.alice, now=now)
    assert ticket.snoozed_until is None
    with pytest.raises(Conflict, match="nothing to snooze"):
        snooze.until(s, ticket, now + HOUR, by=cast.alice, now=now)


def test_it_wakes_when_its_time_has_come_and_not_before(s: Session, cast: Cast, now: datetime) -> None:
    early, due = asleep(s, cast, now, due=False), asleep(s, cast, now)
    assert snooze.wake_due(s) == 1
    assert (early.snoozed_until, due.snoozed_until) == (now + HOUR, None)
    assert told(s, due)[-1] == ("ticket.awoken", {"because": "time"})
    assert snooze.wake_due(s) == 0


def test_its_assignee_hears_of_it(s: Session, cast: Cast, now: datetime) -> None:
    ticket = asleep(s, cast, now)
    s.add(Watcher(ticket=ticket.number, person_id=cast.bob.id, kind=WatcherKind.AGENT, added_at=now))
    actions.assign(s, ticket, to=cast.alice, by=cast.bob, now=now)
    s.flush()
    snooze.wake_due(s)
    assert letters(s) == [("alice@desk.example", f"Ticket {ticket.number} is back")]


def test_the_letter_tells_until_when_it_slept_in_its_readers_zone_and_else_in_the_desks(
    s: Session, cast: Cast, now: datetime
) -> None:
    cast.alice.zone = "Asia/Kathmandu"
    for person in (cast.alice, cast.bob):
        actions.assign(s, asleep(s, cast, now), to=person, by=cast.bob, now=now)
    s.flush()
    snooze.wake_due(s, ZoneInfo("America/Phoenix"))
    s.flush()
    texts = {letter.to_address: letter.text for letter in s.scalars(select(Letter)) if "back" in letter.subject}
    for person, zone in ((cast.alice, "Asia/Kathmandu"), (cast.bob, "America/Phoenix")):
        there = (now - SECOND).astimezone(ZoneInfo(zone))
        assert f"was snoozed until {there.day} {there:%b %Y, %H:%M} ({zone})." in texts[person.email]


def test_without_an_assignee_the_staff_that_follows_it_does_and_never_a_customer(s: Session, cast: Cast, now: datetime) -> None:
    ticket = asleep(s, cast, now)
    s.add(Watcher(ticket=ticket.number, person_id=cast.bob.id, kind=WatcherKind.AGENT, added_at=now))
    s.add(Watcher(ticket=ticket.number, person_id=cast.dave.id, kind=WatcherKind.CC, added_at=now))
    s.flush()
    snooze.wake_due(s)
    assert [to for to, _ in letters(s)] == ["bob@desk.example"]


def test_nobody_hears_of_a_ticket_they_may_not_see_any_more(s: Session, cast: Cast, now: datetime) -> None:
    ticket = asleep(s, cast, now)
    s.add(Watcher(ticket=ticket.number, person_id=cast.alice.id, kind=WatcherKind.AGENT, added_at=now))
    ticket.team = cast.billing
    s.flush()
    assert snooze.wake_due(s) == 1
    assert letters(s) == []


def test_a_customers_answer_wakes_it_and_a_machines_does_not(s: Session, cast: Cast, now: datetime) -> None:
    ticket = asleep(s, cast, now, due=False)
    away = actions.Source(BY_MAIL.channel, auto=True)
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("I am away."), source=away, now=now)
    assert change.values(ticket)["snoozed_until"]
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("It burns again."), source=BY_MAIL, now=now)
    assert change.values(ticket)["snoozed_until"] is None
    assert ("ticket.awoken", {"because": "customer"}) in told(s, ticket)


def test_in_the_trash_it_sleeps_on(s: Session, cast: Cast, now: datetime) -> None:
    ticket = asleep(s, cast, now)
    ticket.trashed_at, ticket.trash_reason = now, "Spam"
    s.flush()
    assert snooze.wake_due(s) == 0
    assert snooze.seconds_until_next(s) is None


def test_null_wakes_it(s: Session, cast: Cast, now: datetime) -> None:
    ticket = asleep(s, cast, now, due=False)
    change.apply(s, ticket, Change(snoozed_until=None), by=cast.alice, now=now)
    assert told(s, ticket)[-1] == ("ticket.awoken", {"because": "person"})


def test_two_workers_wake_it_once_and_wait_for_nobody(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        cast = assemble(s, now)
        numbers = [asleep(s, cast, now).number for _ in range(3)]
    with database.transaction() as somebody, database.transaction() as first, database.transaction() as second:
        somebody.execute(select(Ticket.number).where(Ticket.number == numbers[0]).with_for_update())
        assert (snooze.wake_due(first), snooze.wake_due(second)) == (2, 0)
    with database.transaction() as s:
        assert snooze.wake_due(s) == 1
        assert snooze.seconds_until_next(s) is None


def test_until_it_wakes_is_told_to_the_worker(s: Session, cast: Cast, now: datetime) -> None:
    assert snooze.seconds_until_next(s) is None
    asleep(s, cast, now, due=False)
    left = snooze.seconds_until_next(s)
    assert left is not None
    assert 3590 < left <= 3600
