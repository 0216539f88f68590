"""Mail of people in copy: it lands on the ticket by the address that was issued to them, while they are in copy."""

import pytest

from app.accounts import actions as accounts
from app.audit.models import Event
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import MailState
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


def test_an_address_or_an_id_that_was_not_issued_to_them_lets_it_wait(desk: Desk, ticket: Ticket) -> None:
    theirs = desk.house.reply_address(ticket.number, BOSS)
    carols = desk.house.reply_address(ticket.number, "carol@acme.example")
    signs: list[dict[str, str]] = [
        {"sender": BOSS, "to": carols},
        {"sender": "mallory@evil.example", "to": theirs},
        {"sender": BOSS, "In_Reply_To": desk.house.mail_id(outbox.new_mail_id(ticket.number, 1))},
    ]
    for n, sign in enumerate(signs):
        assert desk.deliver(mail(f"other {n}", mail_id=f"<{n}@x>", **sign)).state is MailState.QUARANTINED
    assert [(one.person.email, one.issued_to) for one in desk.suggested()] == [
        (BOSS, "carol@acme.example"),
        ("mallory@evil.example", BOSS),
        (BOSS, None),
    ]
    borrowed = [entry["data"]["issued_to"] for entry in desk.s.info["audit"] if entry["kind"] == Event.MAIL_BORROWED]
    assert borrowed == ["carol@acme.example", BOSS]
    assert desk.deliver(mail("other", sender=BOSS, mail_id="<9@x>", References="<first@acme.example>")).ticket != ticket.number
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]


def test_verified_they_may_answer_any_mail_of_the_ticket(desk: Desk, ticket: Ticket) -> None:
    carols = desk.house.reply_address(ticket.number, "carol@acme.example")
    raws = [
        mail("to her address", sender=BOSS, mail_id="<2@x>", to=carols),
        mail("to our mail", sender=BOSS, mail_id="<3@x>", In_Reply_To=desk.house.mail_id(outbox.new_mail_id(ticket.number, 1))),
    ]
    for raw in raws:
        assert desk.deliver(raw, verdict=Verdict.PASS).ticket == ticket.number
    assert {m.author.email for m in desk.messages(ticket.number)[1:]} == {BOSS}


@pytest.mark.parametrize("end", ["taken out", "disabled"])
def test_the_mail_of_who_is_in_copy_no_more_waits(desk: Desk, ticket: Ticket, cast: Cast, end: str) -> None:
    boss = next(w.person for w in desk.s.query(Watcher) if w.person.email == BOSS)
    if end == "disabled":
        accounts.disable(desk.s, boss, by=None, now=desk.now)
    else:
        watchers.unwatch(desk.s, ticket, BOSS, WatcherKind.CC, by=cast.carol, now=desk.now)
    row = desk.deliver(mail("second", sender=BOSS, mail_id="<2@x>", to=desk.house.reply_address(ticket.number, BOSS)))

    assert row.state is MailState.QUARANTINED
    assert "takes no part any more" in str(row.reason)
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]
