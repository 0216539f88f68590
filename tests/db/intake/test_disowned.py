"""What becomes of a mail that its sender's domain disowns: each mailbox says, and nobody is believed for it."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.config import load
from app.intake import floods, managed, suggestions
from app.intake.models import InboundMail
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import Disowned, MailState, SenderFrom
from app.outbox import actions as outbox
from app.outbox.models import Letter, Suppression
from app.tickets import queries, watchers
from app.tickets.models import Ticket
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail

CAROL, ALICE, NEW = "Carol <carol@acme.example>", "Alice <alice@desk.example>", "New <new@else.example>"
Forged = Callable[..., InboundMail]


@pytest.fixture
def ticket(desk: Desk) -> Ticket:
    """Carol's, by a mail of hers."""
    found = queries.by_number(desk.s, desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket or 0)
    assert found
    return found


@pytest.fixture
def forged(desk: Desk) -> Forged:
    """A mail in Carol's name, or somebody's, that the domain disowns."""

    def one(policy: Disowned, sender: str = CAROL, *, verdict: Verdict = Verdict.FAIL, **fields: str) -> InboundMail:
        desk.mailbox.disowned = policy
        named = {"mail_id": f"<forged.{desk.uid}@evil.example>"} | fields
        return desk.deliver(mail(f"Send it to my new address {desk.uid}", sender=sender, **named), verdict=verdict)

    return one


def shown_to(desk: Desk, ticket: Ticket) -> dict[str, dict[str, str]]:
    """Every sign of this ticket that Carol has."""
    return {
        "issued": {"to": desk.house.reply_address(ticket.number, "carol@acme.example")},
        "ours": {"In_Reply_To": desk.house.mail_id(outbox.new_mail_id(ticket.number, 1))},
        "theirs": {"In_Reply_To": "<first@acme.example>"},
        "tag": {"subject": f"Re: [#{ticket.number}]"},
    }


def unchanged(desk: Desk, ticket: Ticket) -> None:
    assert [message.text for message in desk.messages(ticket.number)] == ["first"]


def test_a_mailbox_that_says_nothing_holds_it(desk: Desk, forged: Forged) -> None:
    assert desk.mailbox.disowned is Disowned.QUARANTINE
    row = forged(desk.mailbox.disowned)
    assert (row.state, row.ticket) == (MailState.QUARANTINED, None)


class TestFlagged:
    def test_it_is_a_ticket_of_its_own_and_nobody_hears_of_it(self, desk: Desk, forged: Forged) -> None:
        row = forged(Disowned.FLAG, NEW)
        assert (row.state, row.verdict) == (MailState.DONE, Verdict.FAIL)
        assert row.ticket
        assert desk.s.scalars(select(Letter)).all() == []

    @pytest.mark.parametrize("sign", ["issued", "ours", "theirs", "tag"])
    def test_whatever_it_shows_it_joins_no_ticket(self, desk: Desk, ticket: Ticket, forged: Forged, sign: str) -> None:
        """What only we can have given them is put before whoever works on it; what anybody can write, not even that."""
        row = forged(Disowned.FLAG, **shown_to(desk, ticket)[sign])
        unchanged(desk, ticket)
        if sign in {"issued", "ours"}:
            assert (row.state, row.ticket) == (MailState.QUARANTINED, ticket.number)
            assert "is named as the sender, but this is not from there" in str(row.reason)
            assert len(desk.suggested()) == 1
        else:
            assert row.state is MailState.DONE
            assert row.ticket != ticket.number
            assert desk.suggested() == []

    def test_a_suggestion_made_a_ticket_is_one_of_its_own_and_still_nobody_hears_of_it(
        self, desk: Desk, ticket: Ticket, forged: Forged, cast: Cast
    ) -> None:
        fields = shown_to(desk, ticket)["issued"]
        row = forged(Disowned.FLAG, **fields)
        before = desk.acknowledgements()
        [one] = desk.suggested()
        suggestions.refuse(desk.s, ticket, one.id, by=cast.alice, gate=True, now=desk.now)
        unchanged(desk, ticket)
        assert row.ticket not in (None, ticket.number)
        assert desk.acknowledgements() == before

    def test_it_does_not_lift_what_keeps_an_address_from_getting_mail(self, desk: Desk, forged: Forged) -> None:
        desk.s.add(
            Suppression(address="new@else.example", cause="hard", reason="nobody", days=1, failed_at=desk.now, since=desk.now)
        )
        desk.s.flush()
        forged(Disowned.FLAG, NEW)
        assert desk.s.get(Suppression, "new@else.example", populate_existing=True)
        forged(Disowned.ACCEPT, NEW)
        assert desk.s.get(Suppression, "new@else.example", populate_existing=True) is None

    def test_a_flood_of_them_is_held_and_lands_on_no_ticket_of_the_one_it_names(
        self, desk: Desk, ticket: Ticket, forged: Forged, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(floods, "MOST", 2)
        rows = [forged(Disowned.FLAG) for _ in range(4)]
        unchanged(desk, ticket)
        assert [row.state for row in rows] == [MailState.DONE, *[MailState.QUARANTINED] * 3]
        assert "has many new tickets within an hour already" in str(rows[-1].reason)

    def test_the_same_mail_verified_is_its_sender_s_own_all_the_same(self, desk: Desk, ticket: Ticket, forged: Forged) -> None:
        """Whoever has Carol's mail before we do can't put theirs in its place."""
        desk.mailbox.disowned = Disowned.FLAG
        raw = mail("My answer", sender=CAROL, mail_id="<real@acme.example>", to=shown_to(desk, ticket)["issued"]["to"])
        early = desk.deliver(raw.replace(b"To: ", b"X-To: "), verdict=Verdict.FAIL)
        real, again, late = (
            desk.deliver(one, verdict=which) for one, which in ((raw, Verdict.PASS), (raw, Verdict.PASS), (raw, Verdict.FAIL))
        )
        assert (early.state, real.state, again.state, late.state) == (
            MailState.DONE,
            MailState.DONE,
            MailState.DUPLICATE,
            MailState.DUPLICATE,
        )
        assert real.ticket == ticket.number != early.ticket
        assert [message.text for message in desk.messages(ticket.number)] == ["first", "My answer"]


class TestAccepted:
    @pytest.mark.parametrize("sign", ["issued", "ours", "theirs", "tag"])
    def test_it_is_taken_as_one_of_which_nothing_is_known(self, desk: Desk, ticket: Ticket, forged: Forged, sign: str) -> None:
        fields = shown_to(desk, ticket)[sign]
        row, unknown = forged(Disowned.ACCEPT, **fields), forged(Disowned.ACCEPT, verdict=Verdict.NONE, **fields)
        assert (row.state, row.ticket) == (unknown.state, unknown.ticket)
        assert row.verdict is Verdict.FAIL

    def test_whoever_it_names_hears_that_it_came(self, desk: Desk, forged: Forged) -> None:
        forged(Disowned.ACCEPT, NEW)
        assert desk.acknowledgements() == ["new@else.example"]


class TestStaff:
    """In the name of somebody who works here it is held, whatever the policy."""

    @pytest.mark.parametrize("policy", list(Disowned))
    def test_a_new_matter_is_held(self, desk: Desk, forged: Forged, policy: Disowned) -> None:
        row = forged(policy, ALICE)
        assert (row.state, row.ticket) == (MailState.QUARANTINED, None)
        assert "its sender could not be verified" in str(row.reason)
        assert desk.tickets() == []

    @pytest.mark.parametrize("policy", list(Disowned))
    def test_so_is_one_to_the_address_that_was_given_to_them(
        self, desk: Desk, ticket: Ticket, forged: Forged, cast: Cast, policy: Disowned
    ) -> None:
        watchers.copy_to(desk.s, ticket, "alice@desk.example", ours=(), by=cast.bob, now=desk.now)
        row = forged(policy, ALICE, to=desk.house.reply_address(ticket.number, "alice@desk.example"))
        assert (row.state, row.ticket) == (MailState.QUARANTINED, None)
        unchanged(desk, ticket)
        assert desk.suggested() == []

    def test_so_is_one_that_names_them_as_its_author_and_somebody_else_to_answer_to(self, desk: Desk, forged: Forged) -> None:
        desk.mailbox.sender_from = SenderFrom.REPLY_TO
        assert forged(Disowned.ACCEPT, ALICE, Reply_To=NEW).state is MailState.QUARANTINED
        assert forged(Disowned.FLAG, NEW, Reply_To=ALICE).sender == "new@else.example"


def test_the_change_is_in_the_audit(desk: Desk) -> None:
    managed.change(desk.s, load({}), desk.mailbox, disowned=Disowned.FLAG, tells_too_large=False, now=desk.now)
    [entry] = [entry for entry in desk.s.info["audit"] if entry["kind"] == "mailbox.changed"]
    assert json.loads(json.dumps(entry["data"]["changed"])) == {"disowned": "flag", "tells_too_large": False}
