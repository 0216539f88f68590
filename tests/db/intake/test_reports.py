"""Reports of mail servers: they stand with the very letter that did not arrive."""

from datetime import datetime

import pytest

from app.audit.models import Event
from app.db.session import Session
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import MailState
from app.outbox import queries as outbox
from app.outbox import suppression
from app.outbox.models import Cause, Kind, Letter, State
from app.tickets import actions as tickets
from app.tickets import queries, watchers
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from tests.cast import Cast
from tests.db.intake.conftest import Desk
from tests.unit.intake.letters import mail, multipart, part, report

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


def suppressed(desk: Desk) -> list[tuple[str, Cause]]:
    return [(row["address"], row["cause"]) for row in outbox.suppressed(desk.s, limit=10)]


def fate(desk: Desk, letter: Letter) -> str:
    return outbox.fates(desk.s, letter.ticket or 0, configured=True)[letter.message_id or 0].words


@pytest.mark.parametrize("lost", ["carol@acme.example", BOSS])
def test_the_return_address_names_the_letter(desk: Desk, letters: dict[str, Letter], lost: str) -> None:
    letter = letters[lost]
    row = desk.deliver(report(NOWHERE, to=desk.house.return_address(letter.id), recipient="forwarded@else.example"))
    assert (row.state, row.ticket) == (MailState.IGNORED, letter.ticket)
    assert {to: one.state for to, one in letters.items()} == dict.fromkeys(letters, State.SENT) | {lost: State.FAILED}
    assert fate(desk, letter) == "not delivered: 5.1.1 550 no such user"
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
    assert suppressed(desk) == []


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
    assert desk.deliver(mail("I am away.", sender="mallory@evil.example", **away)).state is MailState.QUARANTINED


CAROL = "carol@acme.example"


def test_a_delay_is_shown_and_an_arrival_ends_it(desk: Desk, letters: dict[str, Letter]) -> None:
    to = desk.house.return_address(letters[CAROL].id)
    desk.deliver(report(NOWHERE, to=to, action="delayed"))
    assert letters[CAROL].state is State.SENT
    assert letters[CAROL].last_error == "5.1.1 550 no such user"
    assert fate(desk, letters[CAROL]) == "delayed: 5.1.1 550 no such user"
    desk.deliver(report(NOWHERE, to=to, action="delivered"))
    assert fate(desk, letters[CAROL]) == "sent"


def blocks(*recipients: tuple[str, str, str]) -> str:
    each = (f"Final-Recipient: rfc822; {to}\r\nAction: {action}\r\nStatus: {status}\r\n" for to, action, status in recipients)
    return "Reporting-MTA: dns; x\r\n\r\n" + "\r\n".join(each)


def of_several(desk: Desk, mail_id: str, status: str, to: str = "support@desk.example") -> str | None:
    back = part(f"Message-ID: {mail_id}\r\n", "text/rfc822-headers")
    inside = (part("It failed."), part(status, "message/delivery-status"), back)
    kind = "report; report-type=delivery-status"
    row = desk.deliver(multipart(*inside, kind=kind, sender="MAILER-DAEMON@mx.acme.example", to=to, mail_id="<r@mx>"))
    return row.reason


def test_a_report_about_several_touches_each_letter_once_and_by_the_worst(desk: Desk, letters: dict[str, Letter]) -> None:
    status = blocks((CAROL, "delayed", "4.4.1"), (BOSS, "delayed", "4.4.1"), (BOSS, "failed", "5.2.2"))
    reason = of_several(desk, desk.house.mail_id(letters[BOSS].mail_id), status)
    assert {to: one.state for to, one in letters.items()} == {CAROL: State.SENT, BOSS: State.FAILED}
    assert letters[CAROL].last_error == "4.4.1"
    assert len(told(desk)) == 1
    assert reason
    assert "5.2.2" in reason


def test_whoever_hears_of_a_lost_mail_by_its_return_path_alone_is_suppressed(desk: Desk, letters: dict[str, Letter]) -> None:
    """Our Message-ID is in the hands of everybody in copy, who could say that somebody else is not there."""
    desk.deliver(report(desk.house.mail_id(letters[CAROL].mail_id), recipient=CAROL))
    assert letters[CAROL].state is State.FAILED
    assert suppressed(desk) == []
    desk.deliver(report(NOWHERE, to=desk.house.return_address(letters[BOSS].id), recipient=BOSS))
    assert suppressed(desk) == [(BOSS, Cause.HARD)]


def test_a_forward_that_broke_fails_the_letter_and_not_its_address(desk: Desk, letters: dict[str, Letter]) -> None:
    desk.deliver(report(NOWHERE, to=desk.house.return_address(letters[BOSS].id), recipient="old@else.example"))
    assert letters[BOSS].state is State.FAILED
    assert suppressed(desk) == []


def test_the_return_path_of_the_mail_that_came_back_names_the_letter_too(desk: Desk, letters: dict[str, Letter]) -> None:
    back = part(f"Return-Path: <{desk.house.return_address(letters[BOSS].id)}>\r\n", "text/rfc822-headers")
    inside = (part("It failed."), part(blocks((BOSS, "failed", "5.1.1")), "message/delivery-status"), back)
    desk.deliver(multipart(*inside, kind="report", sender="MAILER-DAEMON@mx.acme.example"))
    assert suppressed(desk) == [(BOSS, Cause.HARD)]


QMAIL = "Hi. This is the qmail-send program.\n\n<{}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line\n"


@pytest.mark.parametrize(("named", "state"), [(BOSS, State.FAILED), ("forwarded@else.example", State.UNKNOWN)])
def test_what_is_perhaps_a_report_counts_where_it_shows_our_sign(
    desk: Desk, letters: dict[str, Letter], named: str, state: State
) -> None:
    to = desk.house.return_address(letters[BOSS].id)
    raw = mail(QMAIL.format(named), sender="MAILER-DAEMON@acme.example", to=to, subject="failure notice")
    assert desk.deliver(raw).state is MailState.IGNORED
    assert letters[BOSS].state is state
    assert letters[BOSS].last_error == f"an automatic answer names {named}: failure notice"
    assert suppressed(desk) == []  # a guess is worth a strike, no more


def test_what_shows_no_sign_of_ours_is_an_ordinary_mail(desk: Desk, letters: dict[str, Letter]) -> None:
    for n, raw in enumerate((report(NOWHERE), mail(QMAIL.format(CAROL), sender="MAILER-DAEMON@acme.example", mail_id="<q@x>"))):
        row = desk.deliver(raw)
        assert row.state is MailState.DONE, n
    assert {one.state for one in letters.values()} == {State.SENT}
    assert suppressed(desk) == []


def complaint(desk: Desk, mail_id: str, *, kind: str = "abuse", fields: str = "") -> None:
    inside = part(f"Feedback-Type: {kind}\r\n{fields}", "message/feedback-report")
    back = part(f"Message-ID: {mail_id}\r\n", "message/rfc822")
    desk.uid += 1
    sender = {"sender": "fbl@provider.example", "mail_id": f"<{desk.uid}@provider.example>"}
    desk.deliver(multipart(part("A complaint."), inside, back, kind="report; report-type=feedback-report", **sender))


def test_a_complaint_stops_what_machines_write_to_who_complains(desk: Desk, letters: dict[str, Letter]) -> None:
    to, path = f"Original-Rcpt-To: {BOSS}\r\n", f"Original-Mail-From: <{desk.house.return_address(letters[BOSS].id)}>\r\n"
    complaint(desk, NOWHERE, kind="not-spam", fields=to + path)
    complaint(desk, NOWHERE, fields=to)
    assert suppressed(desk) == []
    complaint(desk, NOWHERE, fields=to + path)
    assert suppressed(desk) == [(BOSS, Cause.COMPLAINT)]
    assert letters[BOSS].state is State.SENT


def test_nobody_in_copy_complains_in_anothers_name(desk: Desk, letters: dict[str, Letter]) -> None:
    """Our Message-ID is in the hands of everybody in copy; that of a letter to one person alone is not."""
    complaint(desk, desk.house.mail_id(letters[BOSS].mail_id), fields=f"Original-Rcpt-To: {BOSS}\r\n")
    assert suppressed(desk) == []
    receipt = desk.s.query(Letter).where(Letter.kind == Kind.ACKNOWLEDGEMENT).one()
    complaint(desk, desk.house.mail_id(receipt.mail_id))
    assert suppressed(desk) == [(receipt.to_address, Cause.COMPLAINT)]


def test_only_a_verified_mail_ends_a_complaint(desk: Desk, letters: dict[str, Letter]) -> None:
    """Else whoever makes the desk write to a stranger in their name could go on after they complained."""
    receipt = desk.s.query(Letter).where(Letter.kind == Kind.ACKNOWLEDGEMENT).one()
    suppression.complained(desk.s, receipt, now=desk.now)
    desk.deliver(mail("A new matter.", mail_id="<forged@evil.example>"))
    assert suppressed(desk) == [(CAROL, Cause.COMPLAINT)]
    desk.deliver(mail("Another.", mail_id="<real@acme.example>"), verdict=Verdict.PASS)
    assert suppressed(desk) == []


def test_a_letter_of_no_ticket_is_found_too(desk: Desk, letters: dict[str, Letter]) -> None:
    invitation = letters[BOSS]
    invitation.mail_id, invitation.ticket, invitation.message_id = "t.0.0.abc", None, None
    desk.s.flush()
    row = desk.deliver(report(desk.house.mail_id("t.0.0.abc"), recipient=BOSS))
    assert (row.state, row.ticket) == (MailState.IGNORED, None)
    assert invitation.state is State.FAILED


def test_a_mail_of_theirs_lifts_it_and_an_automatic_one_does_not(desk: Desk, letters: dict[str, Letter]) -> None:
    for address in (CAROL, BOSS):
        desk.deliver(report(NOWHERE, to=desk.house.return_address(letters[address].id), recipient=address))
    assert {address for address, _ in suppressed(desk)} == {CAROL, BOSS}
    desk.deliver(mail("away", mail_id="<away@acme.example>", Auto_Submitted="auto-replied"))
    assert {address for address, _ in suppressed(desk)} == {CAROL, BOSS}
    desk.deliver(mail("here", sender="CAROL@Acme.Example", mail_id="<here@acme.example>"))
    assert {address for address, _ in suppressed(desk)} == {BOSS}
    assert not suppression.lift(desk.s, CAROL, now=desk.now)
