"""Answers that go out later: once, as their author's, or not at all and never without a word."""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.accounts.models import Membership
from app.accounts.rules import Role
from app.audit.models import Entry
from app.core.errors import Conflict, DeskError, Invalid, NotFound
from app.core.text import printable
from app.db.session import Database, Session
from app.db.session import now as database_now
from app.files.actions import File
from app.outbox.models import Kind, Letter
from app.sla import actions as sla
from app.sla.models import Clock
from app.tickets import actions, merging, planned, queries, trash
from app.tickets.actions import Body, Source
from app.tickets.holding import with_its_end
from app.tickets.models import Channel, Message, PlannedAnswer, Ticket
from app.tickets.rules import Status
from tests.cast import Cast, assemble
from tests.db.tickets.scene import clocks, opened, told

pytestmark = pytest.mark.db
SOON = timedelta(seconds=10)
Change = Callable[[Session, Ticket, Cast], object]


@pytest.fixture
def desk(database: Database) -> Cast:
    with database.transaction() as s:
        sla.ensure_defaults(s, now=database_now(s))
        return assemble(s, database_now(s))


@pytest.fixture
def number(database: Database, desk: Cast) -> int:
    """Carol's ticket, accepted."""
    with database.transaction() as s:
        return opened(s, Cast(**{**vars(desk), "carol": s.merge(desk.carol)}), database_now(s), accepted=True).number


def plan(database: Database, desk: Cast, number: int, text: str = "Pull the plug.", **more: Any) -> int:
    """Alice's answer, for in a moment; its id."""
    with database.transaction() as s:
        now = database_now(s)
        given: dict[str, Any] = {"text": text, "at": now + SOON, "channel": Channel.PAGE, "by": s.merge(desk.alice)} | more
        ticket = with_its_end(s, number)
        assert ticket
        return planned.plan(s, ticket, now=now, **given).id


def let_time_pass(database: Database) -> None:
    with database.transaction() as s:
        s.execute(
            update(PlannedAnswer).where(PlannedAnswer.due_at.is_not(None)).values(due_at=database_now(s) - timedelta(seconds=1))
        )


def said(database: Database, number: int) -> list[str]:
    """What everybody may read on a ticket, after its first message."""
    with database.transaction() as s:
        return [m.text for m in s.scalars(select(Message).where(Message.ticket == number).order_by(Message.id))][1:]


def waiting(database: Database) -> list[tuple[str, str | None]]:
    """What waits, and why it did not go out."""
    with database.transaction() as s:
        return [(p.text, p.problem) for p in s.scalars(select(PlannedAnswer).order_by(PlannedAnswer.id))]


def letters(database: Database, kind: Kind = Kind.REPLY) -> list[Letter]:
    with database.transaction() as s:
        return list(s.scalars(select(Letter).where(Letter.kind == kind).order_by(Letter.id)))


def change(database: Database, number: int, desk: Cast, act: Change) -> None:
    with database.transaction() as s:
        ticket = with_its_end(s, number)
        assert ticket
        act(s, ticket, Cast(**{name: s.merge(person) for name, person in vars(desk).items()}))


def test_until_its_time_nothing_but_the_plan_is_there(database: Database, desk: Cast, number: int) -> None:
    with database.transaction() as s:
        before = s.get_one(Ticket, number).updated_at
    plan(database, desk, number, then=Status.RESOLVED)
    assert not planned.process_one(database)
    assert said(database, number) == []
    assert letters(database) == []
    with database.transaction() as s:
        ticket = s.get_one(Ticket, number)
        assert (ticket.status, ticket.first_replied_at, ticket.updated_at) == (Status.ACCEPTED, None, before)
        assert s.scalars(select(Clock).where(Clock.ticket == number, Clock.fulfilled_at.is_not(None))).all() == []


def test_at_its_time_it_is_an_answer_like_any_other(database: Database, desk: Cast, number: int) -> None:
    file = File("plan.txt", "text/plain", 3, "ab" * 32)
    plan(database, desk, number, files=[file], then=Status.WAITING_CUSTOMER)
    let_time_pass(database)
    assert planned.process_one(database)
    assert not planned.process_one(database)
    assert said(database, number) == ["Pull the plug."]
    assert waiting(database) == []
    [letter] = letters(database)
    assert (letter.to_address, letter.from_name, letter.text) == ("carol@acme.example", "Alice", "Pull the plug.")
    with database.transaction() as s:
        ticket = s.get_one(Ticket, number)
        [message] = queries.messages(s, ticket, notes=False)[1:]
        assert [(f.name, f.blob) for f in queries.attachments(s, [message])[message.id]] == [(file.name, file.blob)]
        assert (message.channel, message.from_staff, message.author_id) == (Channel.PAGE, True, desk.alice.id)
        assert (ticket.status, ticket.first_replied_at) == (Status.WAITING_CUSTOMER, message.created_at)
        assert clocks(s, ticket)["first_response"].fulfilled_at == message.created_at
        actors = s.execute(select(Entry.actor_id, Entry.kind).where(Entry.ticket == number).order_by(Entry.seq)).all()
    assert [tuple(row) for row in actors[-3:]] == [
        (desk.alice.id, "ticket.answer_planned"),
        (desk.alice.id, "ticket.replied"),
        (desk.alice.id, "ticket.status_changed"),
    ]


def test_several_go_out_in_the_order_of_their_times(database: Database, desk: Cast, number: int) -> None:
    for text, seconds in (("third", 30), ("first", 10), ("second", 20)):
        with database.transaction() as s:
            at = database_now(s) + timedelta(seconds=seconds)
        plan(database, desk, number, text, at=at)
    with database.transaction() as s:
        s.execute(update(PlannedAnswer).values(due_at=PlannedAnswer.due_at - timedelta(minutes=1)))
    while planned.process_one(database):
        pass
    assert said(database, number) == ["first", "second", "third"]


def test_many_workers_send_each_once(database: Database, desk: Cast, number: int) -> None:
    for n in range(12):
        plan(database, desk, number, f"{n}")
    let_time_pass(database)
    with ThreadPoolExecutor(4) as threads:
        while waiting(database):
            list(threads.map(lambda _: planned.process_one(database), range(8)))
    assert sorted(said(database, number), key=int) == [f"{n}" for n in range(12)]
    assert len(letters(database)) == 12


@pytest.mark.parametrize(("moment", "left"), [("before", 1), ("after", 0)])
def test_a_killed_worker_sends_nothing_twice_and_loses_nothing(
    database: Database, desk: Cast, number: int, moment: str, left: int
) -> None:
    plan(database, desk, number)
    let_time_pass(database)
    command = [sys.executable, "-m", "tests.db.tickets.planned_child", database.dsn, moment]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(waiting(database)) == left
    while planned.process_one(database):
        pass
    assert said(database, number) == ["Pull the plug."]
    assert len(letters(database)) == 1


def test_taken_back_it_never_goes_out_and_the_audit_knows(database: Database, desk: Cast, number: int) -> None:
    id = plan(database, desk, number)

    def back(s: Session, ticket: Ticket, people: Cast) -> None:
        planned.take_back(s, ticket, planned.found(s, ticket, id), by=people.bob, now=database_now(s))
        assert told(s, ticket) == [("ticket.answer_taken_back", {"planned": id, "author": "alice@desk.example"})]

    change(database, number, desk, back)
    let_time_pass(database)
    assert not planned.process_one(database)
    assert said(database, number) == []
    with pytest.raises(NotFound, match="has gone out, or was taken back"):
        change(database, number, desk, back)


def test_sent_now_it_goes_in_its_authors_name(database: Database, desk: Cast, number: int) -> None:
    id = plan(database, desk, number)
    change(database, number, desk, lambda s, t, _: planned.send(s, t, planned.found(s, t, id), now=database_now(s)))
    assert said(database, number) == ["Pull the plug."]
    assert letters(database)[0].from_name == "Alice"
    let_time_pass(database)
    assert not planned.process_one(database)


def test_a_customers_answer_in_between_changes_nothing_of_it(database: Database, desk: Cast, number: int) -> None:
    plan(database, desk, number, then=Status.WAITING_CUSTOMER)
    by_mail = Source(Channel.MAIL)
    change(
        database,
        number,
        desk,
        lambda s, t, p: actions.customer_reply(s, t, by=p.carol, body=Body("Hurry"), source=by_mail, now=database_now(s)),
    )
    let_time_pass(database)
    assert planned.process_one(database)
    assert said(database, number) == ["Hurry", "Pull the plug."]


def merged(s: Session, ticket: Ticket, people: Cast) -> None:
    other = opened(s, people, database_now(s), accepted=True)
    merging.merge(s, ticket.number, other.number, by=people.bob, now=database_now(s))


def disabled(s: Session, _: Ticket, people: Cast) -> None:
    people.alice.disabled_at = database_now(s)


def demoted(_: Session, __: Ticket, people: Cast) -> None:
    people.alice.role = Role.CUSTOMER


HINDRANCES: dict[str, tuple[Change, str]] = {
    "merged": (merged, "is part of ticket"),
    "trashed": (lambda s, t, p: trash.discard(s, t, reason="x", by=p.bob, now=database_now(s)), "is in the trash"),
    "cancelled": (
        lambda s, t, p: actions.change_status(s, t, to=Status.CANCELLED, by=p.bob, now=database_now(s)),
        "This ticket is cancelled; it can't be answered any more",
    ),
    "disabled": (disabled, "Alice may not answer this ticket any more"),
    "demoted": (demoted, "Alice may not answer this ticket any more"),
    "another team's": (
        lambda s, t, p: actions.hand_over(s, t, to=p.billing, by=p.bob, now=database_now(s)),
        "Alice may not answer this ticket any more",
    ),
    "resolved": (
        lambda s, t, p: actions.change_status(s, t, to=Status.RESOLVED, by=p.bob, now=database_now(s)),
        "A ticket that is resolved can't become waiting_customer",
    ),
}


@pytest.mark.parametrize("what", HINDRANCES)
def test_what_can_not_be_said_any_more_waits_for_a_person_and_says_why(
    database: Database, desk: Cast, number: int, what: str
) -> None:
    act, words = HINDRANCES[what]
    id = plan(database, desk, number, then=Status.WAITING_CUSTOMER)
    change(database, number, desk, act)
    let_time_pass(database)
    assert planned.process_one(database)
    assert not planned.process_one(database)
    assert said(database, number) == []
    assert letters(database) == []
    [(text, problem)] = waiting(database)
    assert text == "Pull the plug."
    assert problem
    assert words in problem
    with database.transaction() as s:
        entry = s.scalars(select(Entry).where(Entry.kind == "ticket.answer_held")).one()
        assert entry.data["planned"] == id
        assert s.get_one(PlannedAnswer, id).due_at is None
        assert planned.seconds_until_next(s) is None


def test_its_author_hears_that_it_did_not_go_out_once(database: Database, desk: Cast, number: int) -> None:
    plan(database, desk, number)
    change(database, number, desk, HINDRANCES["cancelled"][0])
    let_time_pass(database)
    planned.process_one(database)
    planned.process_one(database)
    [letter] = letters(database, Kind.NOTICE)
    assert (letter.to_address, letter.subject) == ("alice@desk.example", f"Ticket {number}: an answer did not go out")
    assert "can't be answered any more" in letter.text


def test_where_its_author_has_gone_the_assignee_hears_of_it(database: Database, desk: Cast, number: int) -> None:
    plan(database, desk, number)
    change(database, number, desk, lambda s, t, p: actions.assign(s, t, to=p.bob, by=p.bob, now=database_now(s)))
    change(database, number, desk, disabled)
    let_time_pass(database)
    planned.process_one(database)
    assert [letter.to_address for letter in letters(database, Kind.NOTICE)] == ["bob@desk.example"]


def test_out_of_the_trash_it_waits_until_somebody_sends_it(database: Database, desk: Cast, number: int) -> None:
    id = plan(database, desk, number)
    change(database, number, desk, HINDRANCES["trashed"][0])
    let_time_pass(database)
    planned.process_one(database)
    change(database, number, desk, lambda s, t, p: trash.take_back(s, t, by=p.bob, now=database_now(s)))
    assert not planned.process_one(database)
    change(database, number, desk, lambda s, t, _: planned.send(s, t, planned.found(s, t, id), now=database_now(s)))
    assert said(database, number) == ["Pull the plug."]
    assert waiting(database) == []


def test_what_waits_on_a_merged_ticket_is_told_where_it_went(database: Database, desk: Cast, number: int) -> None:
    plan(database, desk, number)
    change(database, number, desk, merged)
    with database.transaction() as s:
        end = s.get_one(Ticket, s.get_one(Ticket, number).conversation)
        assert [one.ticket for one in planned.of(s, end)] == [number]


def test_a_ticket_that_somebody_holds_is_left_for_the_next_round(database: Database, desk: Cast, number: int) -> None:
    plan(database, desk, number)
    let_time_pass(database)
    with database.transaction() as s:
        with_its_end(s, number)
        assert not planned.process_one(database)
        assert planned.seconds_until_next(s) == planned.AGAIN
    assert planned.process_one(database)


@pytest.mark.parametrize(
    ("different", "late", "refusal"),
    [
        ({"text": " \n"}, SOON, "There is nothing in this message"),
        ({"then": Status.CLOSED}, SOON, "can't become closed"),
        ({}, timedelta(seconds=-1), "at a time that is ahead, at most 60 days"),
        ({}, timedelta(days=61), "at a time that is ahead, at most 60 days"),
    ],
)
def test_what_could_never_go_out_is_refused_at_once(
    database: Database, desk: Cast, number: int, different: dict[str, Any], late: timedelta, refusal: str
) -> None:
    with database.transaction() as s:
        at = database_now(s) + late
    with pytest.raises(DeskError, match=refusal):
        plan(database, desk, number, at=at, **different)
    assert waiting(database) == []


def test_a_new_ticket_and_a_closed_one_are_not_answered_later_either(s: Session, cast: Cast, now: Any) -> None:
    fresh = opened(s, cast, now)
    given: dict[str, Any] = {"by": cast.alice, "text": "x", "at": now + SOON, "channel": Channel.API, "now": now}
    with pytest.raises(actions.NotAccepted):
        planned.plan(s, fresh, **given)
    actions.change_status(s, fresh, to=Status.CANCELLED, by=cast.alice, now=now)
    with pytest.raises(Conflict, match="can't be answered any more"):
        planned.plan(s, fresh, **given)
    mine = opened(s, cast, now, by=cast.alice, accepted=True)
    with pytest.raises(Conflict, match="your own ticket"):
        planned.plan(s, mine, **given)


def test_one_ticket_takes_twenty(s: Session, cast: Cast, now: Any) -> None:
    ticket = opened(s, cast, now, accepted=True)
    given: dict[str, Any] = {"by": cast.alice, "text": "x", "at": now + SOON, "channel": Channel.API, "now": now}
    for _ in range(planned.MOST):
        planned.plan(s, ticket, **given)
    with pytest.raises(Conflict, match="20 answers wait on this ticket already"):
        planned.plan(s, ticket, **given)


def test_its_text_is_kept_as_a_messages_is(s: Session, cast: Cast, now: Any) -> None:
    ticket = opened(s, cast, now, accepted=True)
    nasty = "a\x00b\r\n\u202ec"
    given: dict[str, Any] = {"by": cast.alice, "at": now + SOON, "channel": Channel.API, "now": now}
    assert planned.plan(s, ticket, text=nasty, **given).text == printable(nasty) == "ab\nc"
    with pytest.raises(Invalid):
        planned.plan(s, ticket, text="\x00", **given)


def test_a_person_who_left_a_team_may_not_answer_there_later(database: Database, desk: Cast, number: int) -> None:
    def to_billing(s: Session, ticket: Ticket, people: Cast) -> None:
        ticket.team_id = people.billing.id

    change(database, number, desk, to_billing)
    plan(database, desk, number, by=desk.erin)
    with database.transaction() as s:
        s.execute(Membership.__table__.delete().where(Membership.person_id == desk.erin.id))  # type: ignore[attr-defined]
    let_time_pass(database)
    planned.process_one(database)
    assert said(database, number) == []
    assert "Erin may not answer" in str(waiting(database)[0][1])
