"""Reports of mail servers: they stand with the very letter that did not arrive."""

from datetime import datetime

import pytest

from app.audit.models import Event
from app.db.session import Session
from app.intake.rules.states import MailState
from app.outbox import queries as outbox
from app.outbox.models import Kind, Letter, State
from app.tickets import actions as tickets
from app.tickets import queries, watchers
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail, report

BOSS = "boss@acme.example"
NOWHERE = "<1@mx.acme.example>"


@pytest.fixture
def letters(desk: Desk, s: Session, now: datetime, cast: Cast) -> dict[str, Letter]:
    """Erin's answer as it went to Carol and to her boss in copy, by address."""
    ticket = queries.by_number(s, desk.deliver(mail()).ticket or 0)
    assert ticket
    watchers.copy_to(s, ticket, BOSS, ours=(), by=cast.carol, now=now)
    tickets.accept(s, ticket, by=cast.erin, now=now)
    tickets.reply(s, ticket, by=cast.erin, body=Body("Pull the plug."), source=Source(Channel.PAGE), now=now)
    sent = {letter.to_address: letter for letter in s.query(Letter).where(Letter.kind == Kind.REPLY)}
    for letter in sent.values():
        letter.state, letter.next_at, letter.sent_at = State.SENT, None, now
    s.flush()
    return sent


def told(desk: Desk) -> list[dict[str, object]]:
    """What the audit says of letters that did not arrive."""
    return [entry for entry in desk.s.info.get("audit", []) if entry["kind"] == Event.MAIL_NOT_DELIVERED]


@pytest.mark.parametrize("lost", ["carol@acme.example", BOSS])
def test_the_return_address_names_the_letter(desk: Desk, letters: dict[str, Letter], lost: str) -> None:
    letter = letters[lost]
    row = desk.deliver(report(NOWHERE, to=desk.house.return_address(letter.id), recipient="forwarded@else.example"))
    assert (row.state, row.ticket) == (MailState.IGNORED, letter.ticket)
    assert {to: one.state for to, one in letters.items()} == dict.fromkeys(letters, State.SENT) | {lost: State.FAILED}
    fate = outbox.fates(desk.s, letter.ticket or 0, configured=True)[letter.message_id or 0]
    assert fate.words == "not delivered: 5.1.1 550 no such user"
    assert len(told(desk)) == 1


@pytest.mark.parametrize("lost", ["carol@acme.example", BOSS])
def test_without_it_the_returned_mail_and_its_recipient_do(desk: Desk, letters: dict[str, Letter], lost: str) -> None:
    mail_id = desk.house.mail_id(letters[lost].mail_id)
    desk.deliver(report(mail_id, recipient=lost.upper()))
    assert [to for to, one in letters.items() if one.state is State.FAILED] == [lost]


def test_a_recipient_nobody_wrote_to_is_told_on_the_ticket_alone(desk: Desk, letters: dict[str, Letter]) -> None:
    mail_id = desk.house.mail_id(letters[BOSS].mail_id)
    row = desk.deliver(report(mail_id, recipient="forwarded@else.example"))
    assert row.ticket == letters[BOSS].ticket
    assert {one.state for one in letters.values()} == {State.SENT}
    assert len(told(desk)) == 1


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered", "expanded"])
def test_whatever_is_no_failure_changes_nothing(desk: Desk, letters: dict[str, Letter], action: str) -> None:
    row = desk.deliver(report(NOWHERE, to=desk.house.return_address(letters[BOSS].id), action=action))
    assert row.state is MailState.IGNORED
    assert letters[BOSS].state is State.SENT
    assert told(desk) == []


def test_a_second_report_tells_nothing_new(desk: Desk, letters: dict[str, Letter]) -> None:
    to = desk.house.return_address(letters[BOSS].id)
    for recipient in (BOSS, "forwarded@else.example"):
        desk.deliver(report(NOWHERE, to=to, recipient=recipient))
    assert len(told(desk)) == 1


def test_a_return_address_that_somebody_made_up_says_nothing_of_the_letter(desk: Desk, letters: dict[str, Letter]) -> None:
    mine = desk.house.return_address(letters["carol@acme.example"].id)
    forged = mine.replace(f"+b{letters['carol@acme.example'].id}.", f"+b{letters[BOSS].id}.")
    row = desk.deliver(report(NOWHERE, to=forged))
    assert row.ticket != letters[BOSS].ticket
    assert {one.state for one in letters.values()} == {State.SENT}
    assert told(desk) == []


def test_who_is_away_answers_to_the_return_address_and_stands_on_the_ticket(desk: Desk, letters: dict[str, Letter]) -> None:
    letter = letters["carol@acme.example"]
    away = {"to": desk.house.return_address(letter.id), "Auto_Submitted": "auto-replied", "mail_id": "<away@acme.example>"}
    assert desk.deliver(mail("I am away.", **away)).ticket == letter.ticket
    away["mail_id"] = "<other@acme.example>"
    assert desk.deliver(mail("I am away.", sender="mallory@evil.example", **away)).ticket != letter.ticket
