"""Mail of people in copy: it lands on the ticket by the address that was issued to them, while they are in copy."""

import pytest

from app.accounts import actions as accounts
from app.outbox import actions as outbox
from app.tickets import queries, watchers
from app.tickets.models import Ticket, Watcher
from app.tickets.rules import WatcherKind
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail

BOSS = "boss@acme.example"


@pytest.fixture
def ticket(desk: Desk, cast: Cast) -> Ticket:
    """Carol's, with her boss in copy."""
    number = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    found = queries.by_number(desk.s, number or 0)
    assert found
    for address in (BOSS, "erin@desk.example"):
        watchers.copy_to(desk.s, found, address, ours=(), by=cast.carol, now=desk.now)
    return found


def test_what_they_answer_stands_on_the_ticket(desk: Desk, ticket: Ticket) -> None:
    row = desk.deliver(mail("second", sender=BOSS, mail_id="<2@x>", to=desk.house.reply_address(ticket.number, BOSS)))

    assert row.ticket == ticket.number
    assert [(m.text, m.from_staff) for m in desk.messages(ticket.number)] == [("first", False), ("second", False)]
    assert ticket.requester.email == "carol@acme.example"


def test_an_address_or_an_id_that_was_not_issued_to_them_opens_nothing(desk: Desk, ticket: Ticket) -> None:
    theirs = desk.house.reply_address(ticket.number, BOSS)
    carols = desk.house.reply_address(ticket.number, "carol@acme.example")
    signs: list[dict[str, str]] = [
        {"sender": BOSS, "to": carols},
        {"sender": "mallory@evil.example", "to": theirs},
        {"sender": BOSS, "In_Reply_To": desk.house.mail_id(outbox.new_mail_id(ticket.number, 1))},
        {"sender": BOSS, "References": "<first@acme.example>"},
    ]
    for n, sign in enumerate(signs):
        assert desk.deliver(mail(f"other {n}", mail_id=f"<{n}@x>", **sign)).ticket != ticket.number


def test_staff_in_copy_never_speak_by_mail(desk: Desk, ticket: Ticket) -> None:
    to = desk.house.reply_address(ticket.number, "erin@desk.example")
    row = desk.deliver(mail("I am Erin, really", sender="erin@desk.example", mail_id="<2@x>", to=to))

    assert row.ticket != ticket.number


@pytest.mark.parametrize("end", ["taken out", "disabled"])
def test_who_is_in_copy_no_more_opens_a_ticket_of_their_own(desk: Desk, ticket: Ticket, cast: Cast, end: str) -> None:
    boss = next(w.person for w in desk.s.query(Watcher) if w.person.email == BOSS)
    if end == "disabled":
        accounts.disable(desk.s, boss, by=None, now=desk.now)
    else:
        watchers.unwatch(desk.s, ticket, BOSS, WatcherKind.CC, by=cast.carol, now=desk.now)
    row = desk.deliver(mail("second", sender=BOSS, mail_id="<2@x>", to=desk.house.reply_address(ticket.number, BOSS)))

    assert row.ticket != ticket.number
