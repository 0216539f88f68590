"""An outsider's mail with a sign of a ticket: it waits for a say, and then stands where it was said."""

from datetime import timedelta

import pytest

from app.audit.models import Event
from app.core.errors import NotFound
from app.intake import actions, suggestions
from app.intake.models import Suggestion
from app.intake.rules.states import MailState
from app.outbox.models import Kind, Letter
from app.tickets import actions as tickets
from app.tickets import merging, queries
from app.tickets.actions import Body, Source
from app.tickets.models import Channel, Ticket, Watcher
from app.tickets.rules import Status
from tests.cast import Cast
from tests.db.intake.conftest import Desk, a_mailbox
from tests.unit.intake.letters import mail, multipart, part

MALLORY = "mallory@evil.example"
OURS = {"support@desk.example"}


@pytest.fixture
def ticket(desk: Desk) -> Ticket:
    number = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    found = queries.by_number(desk.s, number or 0)
    assert found
    return found


@pytest.fixture
def borrowed(desk: Desk, ticket: Ticket) -> dict[str, str]:
    """The address that was given to Carol, as somebody else shows it."""
    return {"sender": f"Mallory <{MALLORY}>", "to": desk.house.reply_address(ticket.number, "carol@acme.example")}


@pytest.fixture
def waiting(desk: Desk, borrowed: dict[str, str]) -> Suggestion:
    inside = part("second"), part("x", "image/png", Content_Disposition="attachment; filename=a.png")
    desk.deliver(multipart(*inside, mail_id="<2@evil.example>", subject="Re: Help", **borrowed))
    [one] = desk.suggested()
    return one


def accepted(desk: Desk, ticket: Ticket, one: Suggestion, cast: Cast, *, put_in_copy: bool = False) -> int:
    return suggestions.accept(desk.s, ticket, one.id, put_in_copy=put_in_copy, ours=OURS, by=cast.alice, gate=True, now=desk.now)


def test_it_says_who_and_why_and_tells_the_sender_nothing(desk: Desk, ticket: Ticket, waiting: Suggestion) -> None:
    [told] = suggestions.waiting(desk.s, ticket.number)
    assert told["sender"]["email"] == MALLORY
    assert told["because"] == "wrote to an address that was given to carol@acme.example"
    assert (told["subject"], told["text"], [f["name"] for f in told["files"]]) == ("Re: Help", "second", ["a.png"])
    assert desk.acknowledgements() == ["carol@acme.example"]
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]
    kinds = [entry["kind"] for entry in desk.s.info["audit"]]
    assert {Event.MAIL_SUGGESTED, Event.MAIL_BORROWED} <= set(kinds)


def test_accepted_it_stands_there_as_its_sender_s_who_gets_nothing(
    desk: Desk, ticket: Ticket, waiting: Suggestion, cast: Cast
) -> None:
    message = accepted(desk, ticket, waiting, cast)
    found = desk.messages(ticket.number)[1]
    assert (found.id, found.text, found.author.email, found.from_staff, found.internal) == (
        message,
        "second",
        MALLORY,
        False,
        False,
    )
    assert [f.name for f in queries.attachments(desk.s, [found])[found.id]] == ["a.png"]
    assert ticket.requester.email == "carol@acme.example"
    assert desk.s.query(Watcher).count() == 0
    row = desk.s.get_one(type(desk.take(mail("x", mail_id="<x@x>"))[0]), waiting.inbound_mail_id)
    assert (row.state, row.ticket, row.message_id) == (MailState.DONE, ticket.number, message)
    assert suggestions.waiting(desk.s, ticket.number) == []


def test_put_in_copy_they_get_later_answers_and_no_earlier_word(
    desk: Desk, ticket: Ticket, waiting: Suggestion, cast: Cast
) -> None:
    accepted(desk, ticket, waiting, cast, put_in_copy=True)
    tickets.accept(desk.s, ticket, by=cast.alice, now=desk.now)
    tickets.reply(desk.s, ticket, by=cast.alice, body=Body("the answer"), source=Source(Channel.PAGE), now=desk.now)
    [letter] = desk.s.query(Letter).filter_by(to_address=MALLORY, kind=Kind.REPLY)
    assert "the answer" in letter.text
    assert "first" not in letter.text


def test_refused_it_is_a_ticket_of_their_own_and_they_are_told(
    desk: Desk, ticket: Ticket, waiting: Suggestion, cast: Cast
) -> None:
    own = suggestions.refuse(desk.s, ticket, waiting.id, by=cast.alice, gate=True, now=desk.now)
    assert (own.requester.email, own.subject, own.desk_address) == (MALLORY, "Re: Help", desk.mailbox.address)
    assert [m.text for m in desk.messages(own.number)] == ["second"]
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]
    assert desk.acknowledgements() == ["carol@acme.example", MALLORY]


def test_nobody_decides_twice(desk: Desk, ticket: Ticket, waiting: Suggestion, cast: Cast) -> None:
    accepted(desk, ticket, waiting, cast)
    with pytest.raises(suggestions.DecidedAlready):
        accepted(desk, ticket, waiting, cast)
    with pytest.raises(suggestions.DecidedAlready):
        suggestions.refuse(desk.s, ticket, waiting.id, by=cast.alice, gate=True, now=desk.now)
    assert len(desk.messages(ticket.number)) == 2


def test_a_suggestion_of_another_ticket_is_none_here(desk: Desk, ticket: Ticket, waiting: Suggestion, cast: Cast) -> None:
    other = queries.by_number(desk.s, desk.deliver(mail("other", mail_id="<other@acme.example>")).ticket or 0)
    assert other
    with pytest.raises(NotFound):
        accepted(desk, other, waiting, cast)


def test_on_a_ticket_that_ended_long_ago_it_can_only_be_refused(
    desk: Desk, ticket: Ticket, waiting: Suggestion, cast: Cast
) -> None:
    """A follow-up would be Mallory's ticket with Carol's subject."""
    ticket.status, ticket.closed_at = Status.CLOSED, desk.now - timedelta(days=60)
    with pytest.raises(suggestions.TicketIsOver):
        accepted(desk, ticket, waiting, cast)
    assert suggestions.refuse(desk.s, ticket, waiting.id, by=cast.alice, gate=True, now=desk.now).subject == "Re: Help"


def test_it_moves_with_a_merge(desk: Desk, ticket: Ticket, waiting: Suggestion, cast: Cast) -> None:
    into = queries.by_number(desk.s, desk.deliver(mail("other", mail_id="<other@acme.example>")).ticket or 0)
    assert into
    merging.merge(desk.s, ticket.number, into.number, by=cast.alice, now=desk.now)
    assert [one["id"] for one in suggestions.waiting(desk.s, into.number)] == [waiting.id]
    accepted(desk, into, waiting, cast)
    assert [m.text for m in desk.messages(into.number)] == ["other", "second"]


def test_processed_again_it_waits_as_before_and_dropped_it_waits_no_more(
    desk: Desk, ticket: Ticket, borrowed: dict[str, str]
) -> None:
    raw = mail("second", mail_id="<2@evil.example>", **borrowed)
    row = desk.deliver(raw)
    actions.replay(desk.s, row.id, now=desk.now)
    desk.s.flush()
    assert suggestions.waiting(desk.s, ticket.number) == []
    desk.settle(row, raw)
    desk.s.flush()
    assert len(suggestions.waiting(desk.s, ticket.number)) == 1
    actions.drop(desk.s, row.id, now=desk.now)
    desk.s.flush()
    assert suggestions.waiting(desk.s, ticket.number) == []


def test_a_page_can_t_be_filled_from_outside(desk: Desk, ticket: Ticket, borrowed: dict[str, str]) -> None:
    for n in range(suggestions.MOST_ON_ONE + 2):
        desk.deliver(mail(f"mail {n}", mail_id=f"<{n}@evil.example>", **borrowed))
    assert len(desk.suggested()) == suggestions.MOST_ON_ONE
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]
    assert len(desk.tickets()) == 3


def test_the_same_mail_to_two_mailboxes_waits_once(desk: Desk, ticket: Ticket, borrowed: dict[str, str]) -> None:
    sales = a_mailbox(desk.s, desk.now, "sales@desk.example")
    raw = mail("second", mail_id="<2@evil.example>", **borrowed)
    assert [desk.deliver(raw, mailbox=box).state for box in (desk.mailbox, sales)] == [
        MailState.QUARANTINED,
        MailState.DUPLICATE,
    ]


def test_a_verification_mail_to_a_ticket_s_address_reaches_nobody_outside(desk: Desk, ticket: Ticket, cast: Cast) -> None:
    """A04: a shop that Mallory gave the desk's address to sends its code there."""
    code = {"sender": "noreply@shop.example", "subject": "Your code: 123456"}
    for n, to in enumerate((f"support+{ticket.number}@desk.example", desk.house.reply_address(ticket.number, MALLORY))):
        desk.deliver(mail("123456", mail_id=f"<{n}@shop.example>", to=to, **code))
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]
    written_to = {letter.to_address for letter in desk.s.query(Letter)}
    assert written_to == {"carol@acme.example"}
