"""What happens on a ticket, whoever's door it came through."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.accounts.models import Person
from app.audit import queries as audit
from app.core.errors import Conflict, Invalid
from app.core.priority import Priority
from app.db.session import Session
from app.files.actions import File
from app.outbox.models import Kind, Letter
from app.sla import actions as sla
from app.tickets import actions, queries, rules
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from app.tickets.queries import Wanted
from app.tickets.rules import Status
from tests.cast import Cast

BY_MAIL = Source(Channel.MAIL, mail_id="<first@acme.example>")
BY_PAGE = Source(Channel.PAGE)


@pytest.fixture(autouse=True)
def service_levels(s: Session, now: datetime) -> None:
    sla.ensure_defaults(s, now=now)


def opened(
    s: Session, requester: Person, now: datetime, *, source: Source = BY_MAIL, subject: str = "Printer", gate: bool = True
) -> Ticket:
    return actions.open(
        s, requester=requester, by=None, subject=subject, body=Body("It burns."), source=source, now=now, gate=gate
    )


def letters(s: Session, ticket: Ticket, kind: Kind) -> list[Letter]:
    s.flush()
    return list(s.scalars(select(Letter).where(Letter.ticket == ticket.number, Letter.kind == kind).order_by(Letter.id)))


def answered(s: Session, ticket: Ticket, cast: Cast, now: datetime, then: Status | None = None) -> None:
    actions.reply(s, ticket, by=cast.alice, body=Body("Try water."), source=BY_PAGE, now=now, then=then)


def test_it_waits_to_be_accepted(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now)
    assert ticket.status is Status.NEW
    assert ticket.organization_id == cast.carol.organization_id
    with pytest.raises(actions.NotAccepted):
        answered(s, ticket, cast, now)
    actions.accept(s, ticket, by=cast.alice, now=now)
    assert ticket.accepted_at == now


def test_without_a_gate_it_is_accepted_at_once(s: Session, cast: Cast, now: datetime) -> None:
    assert opened(s, cast.carol, now, gate=False).status is Status.ACCEPTED


def test_the_requester_is_told_that_it_arrived_without_a_word_of_their_own(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, subject="Buy cheap pills")
    (told,) = letters(s, ticket, Kind.ACKNOWLEDGEMENT)
    assert told.to_address == cast.carol.email
    assert "pills" not in told.subject + told.text
    assert "burns" not in told.text


def test_an_address_is_told_once_an_hour_at_most(s: Session, cast: Cast, now: datetime) -> None:
    first, second = opened(s, cast.carol, now), opened(s, cast.carol, now)
    later = opened(s, cast.carol, now + timedelta(hours=1, seconds=1))
    assert [len(letters(s, ticket, Kind.ACKNOWLEDGEMENT)) for ticket in (first, second, later)] == [1, 0, 1]


def test_a_machine_is_told_nothing(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, source=Source(Channel.MAIL, auto=True))
    assert letters(s, ticket, Kind.ACKNOWLEDGEMENT) == []


def test_an_answer_goes_to_the_requester_in_the_same_thread(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    answered(s, ticket, cast, now)
    (sent,) = letters(s, ticket, Kind.REPLY)
    assert (sent.to_address, sent.from_name, sent.text) == (cast.carol.email, "Alice", "Try water.")
    assert sent.subject == f"Re: Printer [#{ticket.number}]"
    assert sent.in_reply_to == "<first@acme.example>"


def test_a_second_answer_refers_to_all_that_was_said(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    answered(s, ticket, cast, now)
    later = Source(Channel.MAIL, mail_id="<second@acme.example>")
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("It still burns."), source=later, now=now)
    answered(s, ticket, cast, now)
    first, second = letters(s, ticket, Kind.REPLY)
    assert second.in_reply_to == "<second@acme.example>"
    assert list(second.references) == ["<first@acme.example>", first.mail_id, "<second@acme.example>"]


def test_a_note_leaves_the_house_by_no_door(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    actions.note(s, ticket, by=cast.alice, body=Body("A difficult customer."), source=BY_PAGE, now=now)
    assert letters(s, ticket, Kind.REPLY) == []
    assert [m.text for m in queries.messages(s, ticket, notes=False)] == ["It burns."]
    assert [m.text for m in queries.messages(s, ticket, notes=True)] == ["It burns.", "A difficult customer."]


def test_an_answer_of_the_customer_resumes_what_waited_for_it(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    answered(s, ticket, cast, now, then=Status.WAITING_CUSTOMER)
    landed = actions.customer_reply(s, ticket, by=cast.carol, body=Body("Done."), source=BY_MAIL, now=now)
    assert (landed, landed.status) == (ticket, Status.IN_PROGRESS)


def test_an_answer_of_the_customer_reopens_what_was_resolved(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    answered(s, ticket, cast, now, then=Status.RESOLVED)
    assert actions.customer_reply(s, ticket, by=cast.carol, body=Body("No."), source=BY_MAIL, now=now) is ticket
    assert (ticket.status, ticket.resolved_at) == (Status.IN_PROGRESS, None)


def test_long_after_the_end_an_answer_is_a_new_ticket_that_names_the_old_one(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    for status in (Status.RESOLVED, Status.CLOSED):
        actions.change_status(s, ticket, to=status, by=cast.alice, now=now)
    much_later = now + rules.REOPEN_WINDOW + timedelta(days=1)
    fresh = actions.customer_reply(s, ticket, by=cast.carol, body=Body("Again."), source=BY_MAIL, now=much_later)
    assert (fresh.follows, fresh.status, ticket.status) == (ticket.number, Status.NEW, Status.CLOSED)


def test_without_a_gate_a_follow_up_is_accepted_at_once_too(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now)
    actions.change_status(s, ticket, to=Status.CANCELLED, by=cast.alice, now=now)
    fresh = actions.customer_reply(s, ticket, by=cast.carol, body=Body("Again."), source=BY_MAIL, now=now, gate=False)
    assert (fresh.follows, fresh.status) == (ticket.number, Status.ACCEPTED)


def test_an_out_of_office_answer_is_kept_and_moves_nothing(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    answered(s, ticket, cast, now, then=Status.RESOLVED)
    away = Source(Channel.MAIL, auto=True)
    actions.customer_reply(s, ticket, by=cast.carol, body=Body("I am away."), source=away, now=now)
    assert ticket.status is Status.RESOLVED
    assert queries.messages(s, ticket, notes=False)[-1].auto


def test_a_refused_step_names_what_is_allowed(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now)
    with pytest.raises(actions.TransitionRefused, match="Allowed from here: accepted, cancelled"):
        actions.change_status(s, ticket, to=Status.RESOLVED, by=cast.alice, now=now)


def test_what_is_over_is_not_answered_any_more(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now)
    actions.change_status(s, ticket, to=Status.CANCELLED, by=cast.alice, now=now)
    with pytest.raises(Conflict, match="cancelled"):
        answered(s, ticket, cast, now)


def test_nothing_is_not_a_message_but_a_file_alone_is(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    with pytest.raises(Invalid):
        actions.reply(s, ticket, by=cast.alice, body=Body(" \n "), source=BY_PAGE, now=now)
    file = File("a.txt", "application/octet-stream", 1, "0" * 64)
    said = actions.reply(s, ticket, by=cast.alice, body=Body(""), source=BY_PAGE, files=[file], now=now)
    assert [f.name for f in queries.attachments(s, [said])[said.id]] == ["a.txt"]


def test_only_staff_are_given_tickets(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now, gate=False)
    actions.assign(s, ticket, to=cast.alice, by=cast.bob, now=now)
    assert ticket.assignee is cast.alice
    with pytest.raises(Invalid, match="Carol"):
        actions.assign(s, ticket, to=cast.carol, by=cast.bob, now=now)


def test_everything_is_on_the_timeline(s: Session, cast: Cast, now: datetime) -> None:
    ticket = opened(s, cast.carol, now)
    actions.accept(s, ticket, by=cast.alice, now=now)
    actions.prioritise(s, ticket, to=Priority.URGENT, by=cast.bob, now=now)
    answered(s, ticket, cast, now, then=Status.WAITING_CUSTOMER)
    s.commit()
    assert [entry.kind for entry in audit.of_ticket(s, ticket.number)] == [
        "ticket.opened", "ticket.accepted", "ticket.priority_changed", "ticket.replied", "ticket.status_changed",
    ]  # fmt: skip


def numbers(s: Session, who: Person, **wanted: object) -> set[int]:
    return {row["number"] for row in queries.listing(s.connection(), who, Wanted(**wanted)).items}  # type: ignore[arg-type]


def test_everybody_sees_exactly_what_is_theirs(s: Session, cast: Cast, now: datetime) -> None:
    carols, daves, mallorys = (opened(s, who, now).number for who in (cast.carol, cast.dave, cast.mallory))
    s.flush()
    assert numbers(s, cast.carol) == {carols}
    assert numbers(s, cast.dave) == {carols, daves}
    assert numbers(s, cast.mallory) == {mallorys}
    assert numbers(s, cast.alice) >= {carols, daves, mallorys}


def test_a_list_is_walked_to_its_end_and_shows_each_ticket_once(s: Session, cast: Cast, now: datetime) -> None:
    made = {opened(s, cast.mallory, now + timedelta(seconds=n % 3)).number for n in range(7)}
    s.flush()
    seen: list[int] = []
    cursor = None
    while True:
        part = queries.listing(s.connection(), cast.mallory, Wanted(), limit=3, cursor=cursor)
        seen += [row["number"] for row in part.items]
        if (cursor := part.next) is None:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == made


@pytest.mark.parametrize("cursor", ["x", "bnVsbA==", "e30=", "é"])
def test_a_made_up_cursor_is_refused_in_words(s: Session, cast: Cast, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        queries.listing(s.connection(), cast.alice, Wanted(), cursor=cursor)
