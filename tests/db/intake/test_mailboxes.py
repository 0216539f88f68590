"""A conversation through one of several mailboxes of the desk."""

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select

from app.core.priority import Priority
from app.db.session import Session
from app.intake.models import Mailbox
from app.intake.rules.states import MailState
from app.outbox.compose import compose
from app.outbox.delivery import _senders
from app.outbox.models import Kind, Letter
from app.tickets import actions as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from tests.cast import Cast
from tests.db.intake.conftest import Desk, a_mailbox
from tests.unit.intake.letters import mail

SALES = "sales@desk.example"


@pytest.fixture
def sales(desk: Desk, s: Session, now: datetime, cast: Cast) -> Mailbox:
    made = a_mailbox(s, now, SALES)
    made.team_id, made.priority = cast.billing.id, Priority.HIGH
    desk.house = replace(desk.house, others=frozenset({SALES}))
    return made


@pytest.fixture
def ticket(desk: Desk, sales: Mailbox) -> Ticket:
    row = desk.deliver(mail(to=SALES), mailbox=sales)
    return next(t for t in desk.tickets() if t.number == row.ticket)


def answered(desk: Desk, s: Session, ticket: Ticket, cast: Cast, now: datetime) -> Letter:
    tickets.accept(s, ticket, by=cast.erin, now=now)
    tickets.reply(s, ticket, by=cast.erin, body=Body("Pull the plug."), source=Source(Channel.PAGE), now=now)
    return s.scalars(select(Letter).where(Letter.kind == Kind.REPLY)).one()


def test_a_ticket_has_its_mailboxs_team_priority_and_address(ticket: Ticket, cast: Cast) -> None:
    assert (ticket.team_id, ticket.priority, ticket.desk_address) == (cast.billing.id, Priority.HIGH, SALES)


def test_it_is_answered_from_where_it_came_in(desk: Desk, s: Session, ticket: Ticket, cast: Cast, now: datetime) -> None:
    letter = answered(desk, s, ticket, cast, now)
    sent = compose(letter, desk.house)
    assert str(sent["From"]).endswith(f"<{SALES}>")
    assert str(sent["Reply-To"]).split("+")[0].endswith("<sales")
    assert _senders(letter, desk.house) == (desk.house.return_address(letter.id, SALES), SALES)
    assert desk.house.return_address(letter.id, SALES).startswith("sales+b")
    received = s.scalars(select(Letter).where(Letter.kind == Kind.ACKNOWLEDGEMENT)).one()
    assert str(compose(received, desk.house)["From"]).endswith(f"<{SALES}>")


def test_what_answers_it_stands_on_it_whichever_mailbox_it_comes_to(
    desk: Desk, s: Session, sales: Mailbox, ticket: Ticket, cast: Cast, now: datetime
) -> None:
    answered(desk, s, ticket, cast, now)
    to = desk.house.reply_address(ticket.number, "carol@acme.example", SALES)
    assert to.startswith("sales+")
    for n, box in enumerate((sales, desk.mailbox)):
        assert desk.deliver(mail(f"again {n}", mail_id=f"<{n}@again>", to=to), mailbox=box).ticket == ticket.number
    assert len(desk.messages(ticket.number)) == 4


def test_an_answer_to_both_mailboxes_stands_there_once(desk: Desk, sales: Mailbox, ticket: Ticket) -> None:
    raw = mail("again", mail_id="<2@acme.example>", In_Reply_To="<1@acme.example>")
    first, second = desk.deliver(raw, mailbox=sales), desk.deliver(raw)
    assert (first.state, second.state) == (MailState.DONE, MailState.DUPLICATE)
    assert second.ticket == ticket.number
    assert second.reason == f"it came to another mailbox too; it is number {first.id} of the ledger"
    assert len(desk.messages(ticket.number)) == 2


def test_from_a_removed_mailbox_it_is_answered_from_the_desks_own_address(
    desk: Desk, s: Session, ticket: Ticket, cast: Cast, now: datetime
) -> None:
    letter = answered(desk, s, ticket, cast, now)
    desk.house = replace(desk.house, others=frozenset())
    sent = compose(letter, desk.house)
    assert str(sent["From"]).endswith("<support@desk.example>")
    assert "support+t" in str(sent["Reply-To"])


@pytest.mark.parametrize("sender", [SALES, "Sales <SALES@desk.example>", f"{SALES.replace('@', '+t1.x@')}"])
def test_two_mailboxes_of_one_desk_do_not_talk_to_each_other(desk: Desk, sales: Mailbox, sender: str) -> None:
    row = desk.deliver(mail(sender=sender))
    assert row.state is MailState.IGNORED
    assert desk.tickets() == []
