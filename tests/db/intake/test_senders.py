"""A mailbox of forms: Reply-To says who wrote. Whoever is named there gets nothing that their say-so alone doesn't give."""

from typing import Any

import pytest

from app.config import load
from app.intake import managed
from app.intake.models import InboundMail
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import MailState, SenderFrom
from app.outbox import actions as outbox
from app.tickets import queries, watchers
from app.tickets.models import Ticket
from tests.cast import Cast
from tests.db.intake.conftest import Desk, a_mailbox
from tests.unit.intake.letters import mail

FORM, CAROL, ALICE = "Contact form <form@shop.example>", "Carol <carol@acme.example>", "alice@desk.example"


@pytest.fixture
def ticket(desk: Desk) -> Ticket:
    """Carol's, from before the mailbox was for a form."""
    number = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    found = queries.by_number(desk.s, number or 0)
    assert found
    return found


@pytest.fixture
def forms(desk: Desk, ticket: Ticket) -> Desk:
    desk.mailbox.sender_from = SenderFrom.REPLY_TO
    desk.s.flush()
    return desk


def posted(
    desk: Desk, reply_to: str | None = CAROL, *, verdict: Verdict = Verdict.PASS, sender: str = FORM, **fields: str
) -> InboundMail:
    """What a visitor wrote into the form; the form's own domain vouches for the form."""
    named = fields if reply_to is None else fields | {"Reply_To": reply_to}
    desk.uid += 1
    return desk.deliver(mail(f"form {desk.uid}", sender=sender, mail_id=f"<{desk.uid}@shop.example>", **named), verdict=verdict)


def requester(desk: Desk, row: InboundMail) -> str:
    found = queries.by_number(desk.s, row.ticket or 0)
    assert found
    return found.requester.email


def test_who_filled_it_in_is_the_requester_and_hears_that_it_came(forms: Desk) -> None:
    row = posted(forms, "New <new@acme.example>")
    assert (row.state, row.sender, requester(forms, row)) == (MailState.DONE, "new@acme.example", "new@acme.example")
    assert "new@acme.example" in forms.acknowledgements()
    assert "form@shop.example" not in forms.acknowledgements()


def test_every_other_mailbox_goes_by_from(forms: Desk) -> None:
    forms.mailbox = a_mailbox(forms.s, forms.now, "sales@desk.example")
    assert requester(forms, posted(forms)) == "form@shop.example"


@pytest.mark.parametrize("reply_to", [None, "", "nobody", "a@acme.example, b@acme.example", "support@desk.example"])
def test_where_reply_to_names_nobody_several_or_ourselves_it_is_from_whom_from_names(forms: Desk, reply_to: str | None) -> None:
    assert posted(forms, reply_to).sender == "form@shop.example"


def test_a_form_that_writes_in_our_own_name_is_no_mail_of_ours_come_back(forms: Desk) -> None:
    assert requester(forms, posted(forms, sender="support@desk.example", verdict=Verdict.NONE)) == "carol@acme.example"


def test_our_own_mail_come_back_is_still_ignored(forms: Desk, ticket: Ticket) -> None:
    ours = forms.house.reply_address(ticket.number, "carol@acme.example")
    assert posted(forms, ours, sender="support@desk.example").state is MailState.IGNORED
    assert posted(forms, None, sender="support@desk.example").state is MailState.IGNORED


def test_what_vouches_for_the_form_does_not_vouch_for_whom_it_names(forms: Desk, ticket: Ticket) -> None:
    row = posted(forms, subject=f"Re: Help [#{ticket.number}]")
    assert (row.verdict, row.verdict_words) == (Verdict.NONE, "its sender is named by Reply-To, which anybody can write")
    assert [m.text for m in forms.messages(ticket.number)] == ["first"]


def test_a_person_who_writes_themselves_and_names_themselves_is_attested_as_ever(forms: Desk) -> None:
    row = posted(forms, "carol@acme.example", sender=CAROL)
    assert (row.sender, row.verdict) == ("carol@acme.example", Verdict.PASS)


@pytest.mark.parametrize("sign", ["our id", "own earlier id", "tag", "somebody else's address"])
def test_mallory_joins_no_ticket_by_naming_its_requester(forms: Desk, ticket: Ticket, sign: str) -> None:
    signs: dict[str, dict[str, Any]] = {
        "our id": {"In_Reply_To": forms.house.mail_id(outbox.new_mail_id(ticket.number, 1))},
        "own earlier id": {"In_Reply_To": "<first@acme.example>"},
        "tag": {"subject": f"Re: Help [#{ticket.number}]"},
        "somebody else's address": {"to": forms.house.reply_address(ticket.number, "mallory@evil.example")},
    }
    posted(forms, sender="Mallory <mallory@evil.example>", **signs[sign])
    assert [m.text for m in forms.messages(ticket.number)] == ["first"]


def test_mallory_puts_nobody_in_copy_in_carol_s_name(forms: Desk) -> None:
    row = posted(forms, sender="Mallory <mallory@evil.example>", Cc="dave@acme.example")
    assert requester(forms, row) == "carol@acme.example"
    assert watchers.listing(forms.s.connection(), row.ticket or 0, staff=True) == []


def test_mallory_does_not_become_an_agent_by_naming_one(forms: Desk, ticket: Ticket, cast: Cast) -> None:
    watchers.copy_to(forms.s, ticket, ALICE, ours=(), by=cast.bob, now=forms.now)
    row = posted(forms, ALICE, sender="Mallory <mallory@evil.example>", to=forms.house.reply_address(ticket.number, ALICE))
    assert [m.text for m in forms.messages(ticket.number)] == ["first"]
    assert row.sender == "mallory@evil.example"
    assert ALICE not in forms.acknowledgements()


def test_nor_where_from_says_that_nobody_reads_there(desk: Desk) -> None:
    """Record 32's own rule, in every mailbox."""
    assert posted(desk, ALICE, sender="noreply@evil.example").sender == "noreply@evil.example"


def test_an_agent_who_fills_in_a_form_that_writes_in_our_name_is_lost_to_nobody(forms: Desk) -> None:
    row = posted(forms, ALICE, sender="support@desk.example")
    assert (row.state, row.sender, row.verdict) == (MailState.DONE, None, Verdict.NONE)


def test_a_form_that_its_domain_disowns_is_held_whomever_it_names(forms: Desk) -> None:
    row = posted(forms, verdict=Verdict.FAIL)
    assert (row.state, row.ticket) == (MailState.QUARANTINED, None)


def test_the_change_is_in_the_audit(desk: Desk) -> None:
    managed.change(desk.s, load({}), desk.mailbox, sender_from=SenderFrom.REPLY_TO, now=desk.now)
    [entry] = [entry for entry in desk.s.info["audit"] if entry["kind"] == "mailbox.changed"]
    assert entry["data"]["changed"] == {"sender_from": "reply_to"}
