"""Mail to a ticket that is part of another, or in the trash."""

import threading
from datetime import datetime

import pytest

from app.db.session import Database, Session
from app.db.session import now as database_now
from app.intake import joining
from app.intake.rules import read
from app.outbox import actions as outbox
from app.tickets import actions, merging, queries, trash
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket
from tests.cast import Cast, assemble
from tests.db.intake.conftest import Desk, blocked
from tests.mail.imap_server import eventually
from tests.unit.intake.letters import mail
from tests.unit.outbox.letters import a_house


@pytest.fixture
def ticket(desk: Desk) -> int:
    number = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    assert number
    return number


def found(s: Session, number: int) -> Ticket:
    ticket = queries.by_number(s, number, lock=True)
    assert ticket
    return ticket


def test_it_lands_at_the_end_of_the_chain_and_after_an_unmerge_where_it_was_sent(desk: Desk, cast: Cast, ticket: int) -> None:
    other, last = (desk.deliver(mail(said, mail_id=f"<{said}@acme.example>")).ticket for said in ("other", "last"))
    assert other
    assert last
    merging.merge(desk.s, ticket, other, by=cast.alice, now=desk.now, reveal=True)
    merging.merge(desk.s, other, last, by=cast.alice, now=desk.now, reveal=True)
    row = desk.deliver(mail("second", mail_id="<second@acme.example>", to=desk.house.reply_address(ticket, "carol@acme.example")))
    assert row.ticket == last
    merging.unmerge(desk.s, ticket, by=cast.alice, now=desk.now)
    row = desk.deliver(mail("third", mail_id="<third@acme.example>", to=desk.house.reply_address(ticket, "carol@acme.example")))
    assert row.ticket == ticket


def test_what_is_in_the_trash_gets_no_more_mail(desk: Desk, cast: Cast, ticket: int) -> None:
    trash.discard(desk.s, found(desk.s, ticket), reason="Spam", by=cast.alice, now=desk.now)
    row = desk.deliver(mail("second", mail_id="<second@acme.example>", In_Reply_To="<first@acme.example>"))
    assert row.ticket != ticket
    assert [m.text for m in desk.messages(ticket)] == ["first"]
    assert found(desk.s, row.ticket or 0).follows == ticket


def test_strangers_with_the_address_of_a_ticket_in_the_trash_open_their_own(desk: Desk, cast: Cast, ticket: int) -> None:
    trash.discard(desk.s, found(desk.s, ticket), reason="Spam", by=cast.alice, now=desk.now)
    address = desk.house.reply_address(ticket, "carol@acme.example")
    row = desk.deliver(mail("second", sender="Mallory <mallory@evil.example>", mail_id="<second@evil.example>", to=address))
    assert found(desk.s, row.ticket or 0).follows is None


def test_one_that_is_unmerged_while_its_mail_waits_gets_its_mail_itself(database: Database) -> None:
    with database.transaction() as s:
        now = database_now(s)
        cast = assemble(s, now)
        part, whole = opened(s, cast, now), opened(s, cast, now)
        merging.merge(s, part, whole, by=cast.alice, now=now, reveal=True)
    house = a_house()
    raw, _ = read.mail(mail("second", mail_id="<second@acme.example>", In_Reply_To=house.mail_id(outbox.new_mail_id(part, 1))))
    landed: list[int] = []

    def join() -> None:
        with database.transaction() as s:
            place = joining.place_of(s, raw, s.merge(cast.carol), house, mailbox_id=0, verified=False)
            assert place
            landed.append(place.ticket.number)

    with database.transaction() as s:
        merging.unmerge(s, part, by=s.merge(cast.alice), now=now)
        s.flush()
        waiting = threading.Thread(target=join)
        waiting.start()
        eventually(lambda: blocked(database))
    waiting.join()
    assert landed == [part]


def opened(s: Session, cast: Cast, now: datetime) -> int:
    """The number of a ticket of Carol's."""
    source = Source(Channel.MAIL)
    return actions.open(s, requester=cast.carol, by=None, subject="x", body=Body("first"), source=source, now=now).number
