"""Which ticket a mail goes on: its requester's own mail only, by falling certainty."""

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.accounts import actions as accounts
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import MailState
from app.outbox import actions as outbox
from app.outbox.models import Letter
from app.outbox.rules import conversation_index
from app.sla import actions as sla
from app.sla.models import Clock
from app.tickets import actions as tickets
from app.tickets import queries, watchers
from app.tickets.models import Message, Watcher
from app.tickets.rules import Status
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail, multipart, part

CAROL, MALLORY = "Carol <carol@acme.example>", "Mallory <mallory@evil.example>"


class Signs:
    """What a mail can show to belong to Carol's ticket."""

    def __init__(self, desk: Desk, ticket: int) -> None:
        self.ours = desk.house.mail_id(outbox.new_mail_id(ticket, 1))
        self.address = desk.house.reply_address(ticket, "carol@acme.example")

    def all(self) -> dict[str, dict[str, str]]:
        return {
            "address": {"to": self.address},
            "address in Cc": {"Cc": f"Bob <bob@acme.example>, Desk <{self.address}>"},
            "address in Delivered-To": {"Delivered_To": self.address},
            "our id": {"In_Reply_To": self.ours},
            "our id in upper case": {"In_Reply_To": self.ours.upper()},
            "our id among references": {"References": f"<a@b> {self.ours} <c@d>"},
            "own earlier id": {"In_Reply_To": "<first@acme.example>"},
            "own earlier id among references": {"References": "<x@y> <first@acme.example>"},
        }


def clocks(desk: Desk) -> list[object]:
    """Every clock as it stands."""
    desk.s.flush()
    return [tuple(row) for row in desk.s.execute(select(Clock.__table__).order_by(Clock.id))]


@pytest.fixture
def ticket(desk: Desk) -> int:
    number = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    assert number
    return number


SIGNS = [
    "address",
    "address in Cc",
    "address in Delivered-To",
    "our id",
    "our id in upper case",
    "our id among references",
    "own earlier id",
    "own earlier id among references",
]


@pytest.mark.parametrize("sign", SIGNS)
def test_the_requester_s_answer_lands_on_the_ticket(desk: Desk, ticket: int, sign: str) -> None:
    row = desk.deliver(mail("second", mail_id="<second@acme.example>", **Signs(desk, ticket).all()[sign]))
    assert row.ticket == ticket
    assert [m.text for m in desk.messages(ticket)] == ["first", "second"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(
    "named",
    [
        {"sender": "no-reply@evil.example", "Reply_To": CAROL},
        {"sender": "Carol via Evil <list@evil.example>", "X_Original_From": CAROL},
        {"sender": None, "Sender": CAROL},
    ],
)
def test_whom_another_field_than_from_names_joins_by_what_was_issued_to_them_alone(
    desk: Desk, ticket: int, sign: str, named: dict[str, Any]
) -> None:
    """A domain that disowns what others write in its name (DMARC) is asked about From only."""
    desk.deliver(mail("second", mail_id="<second@x>", **named, **Signs(desk, ticket).all()[sign]))
    joined = sign.startswith("address")
    assert [m.text for m in desk.messages(ticket)] == (["first", "second"] if joined else ["first"])


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.PASS])
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("sender", [MALLORY, "Dave <dave@acme.example>", "Alice <alice@desk.example>", "new@acme.example"])
def test_anybody_else_s_mail_stands_nowhere_before_somebody_decides(
    desk: Desk, ticket: int, sign: str, sender: str, verdict: Verdict
) -> None:
    """With a sign that is ours it waits; a customer's own Message-ID is no secret of ours, and such a mail is a new matter."""
    letters = desk.s.query(Letter).count()
    row = desk.deliver(mail("second", sender=sender, mail_id="<second@x>", **Signs(desk, ticket).all()[sign]), verdict=verdict)
    assert [m.text for m in desk.messages(ticket)] == ["first"]
    if sign.startswith("own"):
        assert (row.state, row.ticket != ticket, desk.suggested()) == (MailState.DONE, True, [])
        return
    assert (row.state, row.ticket, len(desk.tickets())) == (MailState.QUARANTINED, ticket, 1)
    assert [one.ticket for one in desk.suggested()] == ([] if "Alice" in sender else [ticket])
    assert desk.s.query(Letter).count() == letters


@pytest.mark.parametrize("sign", SIGNS[:6])
def test_a_signature_for_one_ticket_is_none_for_another(desk: Desk, ticket: int, sign: str) -> None:
    other = desk.deliver(mail("other", mail_id="<other@acme.example>")).ticket
    forged = {
        name: value.replace(f"+t{ticket}.", f"+t{other}.")
        .replace(f"<t.{ticket}.", f"<t.{other}.")
        .replace(f"<T.{ticket}.", f"<T.{other}.")
        for name, value in Signs(desk, ticket).all()[sign].items()
    }
    assert forged != Signs(desk, ticket).all()[sign]
    assert desk.deliver(mail("second", mail_id="<second@acme.example>", **forged)).ticket not in {ticket, other}


class TestTheNumberInTheSubject:
    def tagged(self, ticket: int, sender: str = CAROL, **fields: str) -> bytes:
        return mail("second", sender=sender, subject=f"AW: Help [#{ticket}]", mail_id=f"<2.{len(sender)}@x>", **fields)

    def test_joins_a_verified_participant_s_mail(self, desk: Desk, ticket: int, cast: Cast) -> None:
        assert desk.deliver(self.tagged(ticket), verdict=Verdict.PASS).state is MailState.DONE
        found = queries.by_number(desk.s, ticket)
        assert found
        watchers.copy_to(desk.s, found, "dave@acme.example", ours=(), by=cast.carol, now=desk.now)
        assert desk.deliver(self.tagged(ticket, "dave@acme.example"), verdict=Verdict.PASS).ticket == ticket
        assert [m.author.email for m in desk.messages(ticket)] == ["carol@acme.example"] * 2 + ["dave@acme.example"]

    @pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.TEMPERROR])
    def test_lets_a_mail_wait_that_may_be_anybody_s(self, desk: Desk, ticket: int, verdict: Verdict) -> None:
        """A01: who puts themselves in copy of it is sent nothing either."""
        row = desk.deliver(self.tagged(ticket, Cc="attacker@acme.example"), verdict=verdict)
        assert row.state is MailState.QUARANTINED
        assert "it can't be told whether this is from them" in str(row.reason)
        assert [m.text for m in desk.messages(ticket)] == ["first"]
        assert desk.s.query(Watcher).count() == 0

    @pytest.mark.parametrize("sender", [MALLORY, "Dave <dave@acme.example>", "Alice <alice@desk.example>"])
    def test_says_nothing_in_anybody_else_s_mail(self, desk: Desk, ticket: int, sender: str) -> None:
        row = desk.deliver(self.tagged(ticket, sender), verdict=Verdict.PASS)
        assert (row.state, row.ticket != ticket) == (MailState.DONE, True)

    def test_says_nothing_in_what_a_machine_wrote(self, desk: Desk, ticket: int) -> None:
        row = desk.deliver(self.tagged(ticket, Auto_Submitted="auto-replied"), verdict=Verdict.PASS)
        assert row.ticket != ticket


def test_the_address_counts_more_than_the_references(desk: Desk, ticket: int) -> None:
    other = desk.deliver(mail("other", mail_id="<other@acme.example>")).ticket
    assert other
    signs = {"to": Signs(desk, ticket).address, "In_Reply_To": Signs(desk, other).ours}
    assert desk.deliver(mail("which?", mail_id="<3@acme.example>", **signs)).ticket == ticket


def test_the_last_reference_counts_more_than_the_first(desk: Desk, ticket: int) -> None:
    other = desk.deliver(mail("other", mail_id="<other@acme.example>")).ticket
    assert other
    references = f"{Signs(desk, ticket).ours} {Signs(desk, other).ours}"
    assert desk.deliver(mail("which?", mail_id="<3@acme.example>", References=references)).ticket == other


def test_what_it_answers_counts_more_than_the_references(desk: Desk, ticket: int) -> None:
    other = desk.deliver(mail("other", mail_id="<other@acme.example>")).ticket
    assert other
    answered = {"In_Reply_To": Signs(desk, ticket).ours, "References": Signs(desk, other).ours}
    assert desk.deliver(mail("which?", mail_id="<3@acme.example>", **answered)).ticket == ticket


def test_what_stands_in_the_text_or_in_a_file_or_in_headers_of_our_own_is_no_sign(desk: Desk, ticket: int) -> None:
    """Anybody may quote or enclose a mail of ours, and what Outlook goes by is copied by every forward."""
    ours, address = Signs(desk, ticket).ours, Signs(desk, ticket).address
    said = f"Re: Help [#{ticket}] In-Reply-To: {ours} To: {address}"
    enclosed = mail(said, to=address, subject=f"Help [#{ticket}]", mail_id="<in@acme.example>", In_Reply_To=ours)
    index = base64.b64encode(conversation_index(desk.house.conversation(ticket), desk.now, 1)).decode()
    strangers = [
        multipart(part(said), part(enclosed, "message/rfc822"), part(enclosed, "application/octet-stream"), mail_id="<2@x>"),
        mail(said, mail_id="<3@x>", X_Loop="support@desk.example", Thread_Index=index, Thread_Topic="Help"),
        mail("x", mail_id="<4@x>", X_Desk_Ticket=str(ticket), X_ATUM_Ticket=str(ticket), Comments=ours, Keywords=f"[#{ticket}]"),
    ]
    for raw in strangers:
        row = desk.deliver(raw, verdict=Verdict.PASS)
        assert (row.state, row.ticket != ticket) == (MailState.DONE, True)
    assert [m.text for m in desk.messages(ticket)] == ["first"]


def test_an_answer_to_a_resolved_ticket_reopens_it(desk: Desk, ticket: int) -> None:
    found = desk.tickets()[0]
    found.status, found.accepted_at, found.resolved_at = Status.RESOLVED, desk.now, desk.now
    desk.deliver(mail("still broken", mail_id="<2@acme.example>", In_Reply_To=Signs(desk, ticket).ours))
    assert found.status is Status.IN_PROGRESS


def test_an_automatic_answer_is_kept_and_moves_nothing(desk: Desk) -> None:
    sla.ensure_defaults(desk.s, now=desk.now)
    ticket = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
    assert ticket
    found = desk.tickets()[0]
    tickets.accept(desk.s, found, by=None, now=desk.now)
    found.status, found.accepted_at, found.resolved_at = Status.RESOLVED, desk.now, desk.now
    before = clocks(desk)
    assert before
    away = mail("I am away", mail_id="<2@acme.example>", In_Reply_To=Signs(desk, ticket).ours, Auto_Submitted="auto-replied")
    assert desk.deliver(away).ticket == ticket
    assert found.status is Status.RESOLVED
    assert [m.auto for m in desk.messages(ticket)] == [False, True]
    assert desk.acknowledgements() == ["carol@acme.example"]
    assert clocks(desk) == before


def test_an_automatic_answer_does_not_join_by_the_sender_s_own_ids(desk: Desk, ticket: int) -> None:
    away = mail("I am away", mail_id="<2@acme.example>", In_Reply_To="<first@acme.example>", Auto_Submitted="auto-replied")
    assert desk.deliver(away).ticket != ticket


LETTERS = st.lists(
    st.tuples(
        st.sampled_from([CAROL, MALLORY, "Dave <dave@acme.example>"]),
        st.sampled_from(["", *SIGNS]),
        st.sampled_from(["", "auto-replied"]),
    ),
    min_size=1,
    max_size=6,
)


@given(letters=LETTERS, order=st.randoms(use_true_random=False), repeats=st.integers(1, 3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_and_however_often_each_mail_comes_once_and_none_joins_another_s_ticket(
    desk: Desk, cast: Cast, letters: list[tuple[str, str, str]], order: st.DataObject, repeats: int
) -> None:
    with desk.s.begin_nested() as attempt:
        before = desk.s.query(Message).count()
        first = desk.deliver(mail("first", mail_id="<first@acme.example>")).ticket
        assert first
        signs = Signs(desk, first).all() | {"": {}}
        raws = [
            mail(f"letter {n}", sender=sender, mail_id=f"<{n}@x.example>", Auto_Submitted=auto or "no", **signs[sign])
            for n, (sender, sign, auto) in enumerate(letters)
        ] * repeats
        order.shuffle(raws)  # type: ignore[attr-defined]
        for raw in raws:
            desk.deliver(raw)
        said = desk.s.query(Message).order_by(Message.id).offset(before).all()
        waiting = [one.body["text"] for one in desk.suggested()]
        assert sorted([m.text for m in said] + waiting) == sorted(["first", *(f"letter {n}" for n in range(len(letters)))])
        for ticket in desk.tickets():
            assert {m.author_id for m in desk.messages(ticket.number)} == {ticket.requester_id}
        attempt.rollback()


def test_the_mail_of_somebody_who_was_disabled_is_not_lost(desk: Desk, ticket: int) -> None:
    """It can't be told whether they left or write from home: a person looks at it. Nobody signs in by it."""
    carol = accounts.known_sender(desk.s, email="carol@acme.example", name="", now=desk.now)
    carol.disabled_at = desk.now
    signs = Signs(desk, ticket).all()["address"]
    assert desk.deliver(mail("second", mail_id="<second@acme.example>", **signs)).ticket == ticket
    other = desk.deliver(mail("third", mail_id="<third@acme.example>")).ticket
    assert other not in {None, ticket}
    assert [m.text for m in desk.messages(ticket)] == ["first", "second"]
