"""Mail from the addresses of those who work here: never in public, and in private only where nobody else can have written it."""

import pytest

from app.accounts import actions as accounts
from app.accounts.models import Membership
from app.audit.models import Event
from app.intake.models import InboundMail
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import MailState
from app.outbox import actions as outbox
from app.outbox.models import Letter
from app.tickets import queries, watchers
from app.tickets.models import Ticket
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail

ERIN = "erin@desk.example"


@pytest.fixture
def ticket(desk: Desk, cast: Cast) -> Ticket:
    """Carol's, of the team Billing, with its agent Erin in copy."""
    number = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    found = queries.by_number(desk.s, number or 0)
    assert found
    found.team, found.team_id = cast.billing, cast.billing.id
    watchers.copy_to(desk.s, found, ERIN, ours=(), by=cast.alice, now=desk.now)
    return found


def answered(desk: Desk, ticket: Ticket, verdict: Verdict, text: str = "As Erin", **fields: str) -> InboundMail:
    """Mail from Erin's address, to the one that was issued to her unless something else is said."""
    to = {"to": desk.house.reply_address(ticket.number, ERIN)} | fields
    return desk.deliver(mail(text, sender=ERIN, mail_id=f"<{text}@x>", **to), verdict=verdict)


def test_verified_and_to_her_own_address_it_is_an_internal_note(desk: Desk, ticket: Ticket) -> None:
    letters = desk.s.query(Letter).count()
    row = answered(desk, ticket, Verdict.PASS)
    assert (row.state, row.ticket) == (MailState.DONE, ticket.number)
    assert [(m.text, m.internal) for m in desk.messages(ticket.number)] == [("first", False), ("As Erin", True)]
    assert desk.s.query(Letter).count() == letters


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.TEMPERROR, Verdict.FAIL])
def test_not_verified_it_is_held(desk: Desk, ticket: Ticket, verdict: Verdict) -> None:
    row = answered(desk, ticket, verdict)
    assert row.state is MailState.QUARANTINED
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.PASS])
def test_an_answer_to_a_notice_is_held_and_says_where_to_answer(desk: Desk, ticket: Ticket, verdict: Verdict) -> None:
    """A02: what our notices are called is no secret of hers alone."""
    for n, ours in enumerate((outbox.new_mail_id(ticket.number, 0), outbox.new_mail_id(ticket.number, 1))):
        sign = {"to": "support@desk.example", "In_Reply_To": desk.house.mail_id(ours)}
        row = answered(desk, ticket, verdict, f"answer {n}", **sign)
        assert (row.state, row.ticket) == (MailState.QUARANTINED, ticket.number)
        assert "answers on the ticket's page" in str(row.reason)
    held = [entry["ticket"] for entry in desk.s.info["audit"] if entry["kind"] == Event.MAIL_QUARANTINED]
    assert held == [ticket.number, ticket.number]
    assert len(desk.tickets()) == 1


@pytest.mark.parametrize("end", ["left the team", "disabled"])
def test_who_may_not_note_there_any_more_is_refused(desk: Desk, ticket: Ticket, end: str) -> None:
    """A05."""
    erin = accounts.known_sender(desk.s, email=ERIN, name="", now=desk.now)
    if end == "disabled":
        accounts.disable(desk.s, erin, by=None, now=desk.now)
    else:
        desk.s.query(Membership).filter_by(person_id=erin.id).delete()
        desk.s.expire(erin)
    row = answered(desk, ticket, Verdict.PASS)
    assert row.state is MailState.QUARANTINED
    assert "may not note" in str(row.reason)
    assert [m.text for m in desk.messages(ticket.number)] == ["first"]


def test_somebody_else_s_address_gives_staff_nothing(desk: Desk, ticket: Ticket) -> None:
    row = answered(desk, ticket, Verdict.PASS, to=desk.house.reply_address(ticket.number, "carol@acme.example"))
    assert row.state is MailState.QUARANTINED


def test_whoever_works_here_may_ask_for_help_as_anybody(desk: Desk, cast: Cast) -> None:
    row = desk.deliver(mail("My screen is dark", sender=ERIN, mail_id="<1@desk>"))
    assert (row.state, [m.from_staff for m in desk.messages(row.ticket)]) == (MailState.DONE, [False])
    again = desk.deliver(mail("Still", sender=ERIN, mail_id="<2@desk>", In_Reply_To="<1@desk>"))
    assert again.ticket == row.ticket


def test_released_it_is_a_matter_of_its_own(desk: Desk, ticket: Ticket) -> None:
    row = answered(desk, ticket, Verdict.NONE)
    row.state, row.released_at = MailState.NEW, desk.now
    raw = mail("As Erin", sender=ERIN, mail_id="<As Erin@x>", to=desk.house.reply_address(ticket.number, ERIN))
    desk.s.flush()
    desk.settle(row, raw)
    assert (row.state, row.ticket != ticket.number) == (MailState.DONE, True)
