"""Every mail is one row, and every row has one outcome."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.audit.models import Event
from app.core.errors import Conflict, NotFound
from app.files.actions import File
from app.intake import actions, mailboxes, outcomes, queries
from app.intake.folder import Fetched
from app.intake.mailboxes import LeaseLost
from app.intake.models import InboundMail
from app.intake.rules.authentication import Verdict
from app.intake.rules.states import MailState
from app.outbox.compose import compose
from app.outbox.models import Kind, Letter
from app.tickets.models import Channel
from tests.cast import Cast
from tests.db.intake.conftest import Desk, a_mailbox
from tests.unit.intake.letters import mail, multipart, part, report

ORIGINAL = File("mail.eml", "application/octet-stream", 1, "0" * 64)


def events(desk: Desk) -> list[Event]:
    return [entry["kind"] for entry in desk.s.info.get("audit", [])]


def test_a_mail_becomes_a_ticket_of_its_sender(desk: Desk, cast: Cast) -> None:
    raw = multipart(part("It is broken."), part("x", "image/png", Content_Disposition="attachment; filename=a.png"))
    row = desk.deliver(raw)
    [ticket] = desk.tickets()
    [message] = desk.messages(ticket.number)
    assert (ticket.subject, ticket.requester_id, ticket.channel) == ("Help", cast.carol.id, Channel.MAIL)
    assert (message.text, message.mail_id, message.inbound_mail_id) == ("It is broken.", "<1@acme.example>", row.id)
    assert (row.state, row.ticket, row.message_id) == (MailState.DONE, ticket.number, message.id)
    assert (row.sender, row.subject, row.reason) == ("carol@acme.example", "Help", None)
    assert desk.acknowledgements() == ["carol@acme.example"]


def test_the_ledger_keeps_how_the_text_was_read(desk: Desk) -> None:
    row = desk.deliver(mail("Привет".encode("koi8-r"), Content_Type="text/plain; charset=koi8-r"))
    assert row.charset == "koi8-r: as labelled"
    assert queries.ledger(desk.s.connection())[0]["charset"] == "koi8-r: as labelled"


def test_somebody_new_becomes_a_customer(desk: Desk) -> None:
    desk.deliver(mail(sender="Erin <Erin@New.example>"))
    assert desk.tickets()[0].requester.email == "erin@new.example"


def test_taking_moves_the_cursor_and_only_forward(desk: Desk) -> None:
    desk.take(mail(), mail())
    mailboxes.move_cursor(desk.s, desk.mailbox, uidvalidity=1, last_uid=1)
    desk.s.refresh(desk.mailbox)
    assert desk.mailbox.last_uid == 2


def test_whoever_lost_the_lease_takes_nothing(desk: Desk) -> None:
    mine = desk.mailbox
    desk.s.expunge(mine)
    mailboxes.lease(desk.s, mine.id)
    with pytest.raises(LeaseLost):
        actions.take(desk.s, mine, [Fetched(1, mail(), 9, desk.now)], uidvalidity=1, large=desk.large, now=desk.now)


def test_a_large_mail_lies_beside_the_database(desk: Desk) -> None:
    raw = mail("a" * actions.IN_THE_ROW)
    [row] = desk.take(raw)
    assert row.raw is None
    assert row.blob == row.raw_sha256
    assert desk.large.get(row.blob) == raw


def test_a_server_s_time_in_the_future_is_now(desk: Desk) -> None:
    late = Fetched(1, mail(), 9, desk.now + timedelta(days=400))
    actions.take(desk.s, desk.mailbox, [late], uidvalidity=1, large=desk.large, now=desk.now)
    assert desk.s.query(InboundMail).one().received_at == desk.now


class TestTheSameMail:
    def test_fetched_twice_is_one_row(self, desk: Desk) -> None:
        fetched = [Fetched(1, mail(), 9, desk.now)]
        taken = [actions.take(desk.s, desk.mailbox, fetched, uidvalidity=1, large=desk.large, now=desk.now) for _ in range(2)]
        assert taken == [1, 0]

    def test_come_under_two_numbers_is_one_ticket(self, desk: Desk) -> None:
        first, again = desk.deliver(mail()), desk.deliver(b"Received: again\r\n" + mail())
        assert (again.state, again.ticket) == (MailState.DUPLICATE, first.ticket)
        assert f"number {first.id}" in str(again.reason)
        assert len(desk.tickets()) == 1

    def test_with_another_text_under_the_same_id_is_another(self, desk: Desk) -> None:
        desk.deliver(mail("one"))
        assert desk.deliver(mail("two")).state is MailState.DONE
        assert len(desk.tickets()) == 2

    def test_sent_by_somebody_else_before_is_no_reason_to_lose_it(self, desk: Desk) -> None:
        """Whoever was sent a copy can send it to the desk, quicker than its author's server does."""
        theirs, hers = mail(sender="Mallory <mallory@evil.example>"), mail()
        rows = [desk.deliver(raw) for raw in (theirs, hers, b"Received: again\r\n" + theirs, b"Received: again\r\n" + hers)]
        assert [row.state for row in rows] == [MailState.DONE] * 2 + [MailState.DUPLICATE] * 2
        assert [ticket.requester.email for ticket in desk.tickets()] == ["mallory@evil.example", "carol@acme.example"]
        assert [row.ticket for row in rows[2:]] == [row.ticket for row in rows[:2]]

    def test_whose_sender_is_read_from_another_field_by_now_is_the_same_mail(self, desk: Desk) -> None:
        first = desk.deliver(mail())
        first.sender = "form@acme.example"
        desk.s.flush()
        assert desk.deliver(mail()).state is MailState.DUPLICATE

    def test_without_a_message_id_is_known_again_and_nobody_else_s_is_taken_for_it(self, desk: Desk) -> None:
        one, other = (mail(text, mail_id=None, Date="Mon, 23 Nov 2026 10:00:00 +0100") for text in ("one", "other"))
        rows = [desk.deliver(raw) for raw in (one, other, b"Received: again\r\n" + one)]
        assert [row.state for row in rows] == [MailState.DONE, MailState.DONE, MailState.DUPLICATE]
        assert rows[2].ticket == rows[0].ticket != rows[1].ticket

    def test_in_two_mailboxes_is_a_ticket_for_each(self, desk: Desk) -> None:
        other = a_mailbox(desk.s, desk.now, "sales@desk.example")
        assert desk.deliver(mail()).state is MailState.DONE
        assert desk.deliver(mail(), mailbox=other).state is MailState.DONE

    def test_settled_twice_is_settled_once(self, desk: Desk) -> None:
        row = desk.deliver(mail())
        assert desk.settle(row, mail()) is None
        assert len(desk.tickets()) == 1


class TestOurOwnMail:
    def test_from_our_own_address_is_ignored(self, desk: Desk) -> None:
        row = desk.deliver(mail(sender="ATUM Desk <Support@desk.example>"))
        assert (row.state, row.reason) == (MailState.IGNORED, "it is from our own address, support@desk.example")
        assert desk.tickets() == []

    def test_from_our_own_address_with_a_tag_is_ignored(self, desk: Desk) -> None:
        assert desk.deliver(mail(sender="support+t7.abc@desk.example")).state is MailState.IGNORED

    def test_with_a_message_id_of_ours_is_ignored(self, desk: Desk) -> None:
        row = desk.deliver(mail(mail_id=desk.house.mail_id("t.7.1.abcdef")))
        assert row.state is MailState.IGNORED
        assert "one of ours" in str(row.reason)

    def test_with_a_made_up_message_id_of_ours_is_not(self, desk: Desk) -> None:
        assert desk.deliver(mail(mail_id="<t.7.1.abcdef.aaaaaaaaaaaaaaaa@desk.example>")).state is MailState.DONE


class TestMachines:
    def test_a_machine_s_new_matter_is_a_ticket_without_an_acknowledgement(self, desk: Desk) -> None:
        row = desk.deliver(mail(Auto_Submitted="auto-generated"))
        assert (row.state, row.reason) == (MailState.DONE, "Auto-Submitted: auto-generated")
        assert desk.messages(row.ticket)[0].auto
        assert desk.acknowledgements() == []

    @pytest.mark.parametrize("method", ["REQUEST", "CANCEL", "REPLY", "COUNTER"])
    def test_what_a_calendar_sends_is_kept_and_never_answered(self, desk: Desk, method: str) -> None:
        event = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        row = desk.deliver(multipart(part("See."), part(event, f"text/calendar; method={method}"), kind="alternative"))
        assert row.state is MailState.DONE
        assert "See." in desk.messages(row.ticket)[0].text
        assert desk.acknowledgements() == []

    def test_a_bounce_of_our_mail_is_noted_on_its_ticket_and_becomes_none(self, desk: Desk) -> None:
        ticket = desk.deliver(mail()).ticket
        row = desk.deliver(report(desk.house.mail_id(f"t.{ticket}.1.abcdef")))
        assert (row.state, row.ticket) == (MailState.IGNORED, ticket)
        assert "carol@acme.example: 5.1.1 550 no such user" in str(row.reason)
        assert events(desk).count(Event.MAIL_NOT_DELIVERED) == 1
        assert len(desk.tickets()) == 1

    def test_a_delay_is_no_failure(self, desk: Desk) -> None:
        ticket = desk.deliver(mail()).ticket
        desk.deliver(report(desk.house.mail_id(f"t.{ticket}.1.abcdef"), action="delayed"))
        assert Event.MAIL_NOT_DELIVERED not in events(desk)

    def test_a_made_up_bounce_is_a_ticket_without_an_acknowledgement(self, desk: Desk) -> None:
        ticket = desk.deliver(mail(sender="erin@new.example")).ticket
        row = desk.deliver(report(f"<t.{ticket}.1.abcdef.aaaaaaaaaaaaaaaa@desk.example>"))
        assert row.state is MailState.DONE
        assert row.ticket != ticket
        assert desk.acknowledgements() == ["erin@new.example"]


def test_an_acknowledgement_carries_none_of_the_senders_words(desk: Desk) -> None:
    """Else whoever writes with somebody else's address has us bring them anything."""
    lure = "Casino https://casino.example"
    file = part(lure, "text/plain", Content_Disposition=f'attachment; filename="{lure}.txt"')
    desk.deliver(
        multipart(part(lure), part(f"<b>{lure}</b>", "text/html"), file, subject=lure, sender=f'"{lure}" <v@acme.example>')
    )
    [letter] = desk.s.scalars(select(Letter).where(Letter.kind == Kind.ACKNOWLEDGEMENT))
    sent = compose(letter, desk.house)
    shown = [str(value) for value in sent.values()] + [str(part.get_payload(decode=True)) for part in sent.walk()]
    assert letter.to_address == "v@acme.example"
    assert [words for words in shown if "casino" in words.lower()] == []


def test_a_mail_without_a_sender_still_gets_before_a_person(desk: Desk) -> None:
    row = desk.deliver(mail(sender=None))
    assert (row.state, row.reason, row.sender) == (MailState.DONE, "it names no sender", None)
    assert desk.tickets()[0].requester.email == outcomes.NOBODY
    assert desk.acknowledgements() == []


def test_a_mail_without_a_text_says_so(desk: Desk) -> None:
    row = desk.deliver(mail(" \r\n", subject=""))
    assert desk.messages(row.ticket)[0].text == outcomes.NO_TEXT
    assert desk.tickets()[0].subject == "(no subject)"


class TestQuarantine:
    def quarantined(self, desk: Desk, raw: bytes = b"\x00") -> InboundMail:
        [row] = desk.take(raw)
        outcomes.quarantine(desk.s, row.id, "reading it took too long", ORIGINAL, gate=True, now=desk.now)
        return row

    def test_a_mail_is_given_three_tries(self, desk: Desk) -> None:
        [row] = desk.take(mail())
        assert [actions.attempted(desk.s, row.id, "it fell") for _ in range(3)] == [False, False, True]

    def test_then_a_ticket_shows_it_to_a_person(self, desk: Desk) -> None:
        row = self.quarantined(desk)
        [ticket] = desk.tickets()
        [message] = desk.messages(ticket.number)
        assert (row.state, row.ticket, row.reason) == (
            MailState.QUARANTINED,
            ticket.number,
            "reading it took too long",
        )
        assert (ticket.subject, ticket.requester.email) == ("Unreadable mail", outcomes.NOBODY)
        assert f"atum mail replay {row.id}" in message.text
        assert desk.acknowledgements() == []
        assert Event.MAIL_QUARANTINED in events(desk)

    def test_the_same_poison_again_is_no_second_ticket(self, desk: Desk) -> None:
        self.quarantined(desk)
        assert self.quarantined(desk).state is MailState.DUPLICATE
        assert len(desk.tickets()) == 1

    def test_replayed_it_becomes_what_it_should_have_been(self, desk: Desk) -> None:
        row = self.quarantined(desk, mail())
        stand_in = row.ticket
        assert actions.replay(desk.s, row.id, now=desk.now).state is MailState.NEW
        desk.settle(row, mail())
        assert row.state is MailState.DONE
        assert row.ticket != stand_in

    def test_replayed_in_vain_it_makes_no_second_stand_in(self, desk: Desk) -> None:
        row = self.quarantined(desk)
        actions.replay(desk.s, row.id, now=desk.now)
        desk.s.flush()
        outcomes.quarantine(desk.s, row.id, "again", ORIGINAL, gate=True, now=desk.now)
        assert row.state is MailState.QUARANTINED
        assert len(desk.tickets()) == 1

    def test_dropped_it_waits_for_nobody_and_is_still_there(self, desk: Desk) -> None:
        row = self.quarantined(desk, mail())
        actions.drop(desk.s, row.id, now=desk.now)
        assert row.state is MailState.IGNORED
        assert row.reason
        assert row.reason.startswith("dropped by hand; before: ")
        [mailbox] = queries.mailbox_states(desk.s)
        assert mailbox["quarantined"] == 0
        assert row.raw == mail()
        assert Event.MAIL_DROPPED in events(desk)

    def test_dropped_it_stays_so_when_the_server_numbers_it_anew_and_not_when_it_comes_verified(self, desk: Desk) -> None:
        row = desk.deliver(mail(), verdict=Verdict.FAIL)
        actions.drop(desk.s, row.id, now=desk.now)
        desk.s.flush()
        again = desk.deliver(mail(), verdict=Verdict.FAIL)
        assert (again.state, str(row.id) in str(again.reason)) == (MailState.DUPLICATE, True)
        assert desk.deliver(b"Received: another way\r\n" + mail(), verdict=Verdict.PASS).state is MailState.DONE

    def test_dropped_by_mistake_it_is_replayed(self, desk: Desk) -> None:
        row = self.quarantined(desk, mail())
        actions.drop(desk.s, row.id, now=desk.now)
        actions.replay(desk.s, row.id, now=desk.now)
        desk.settle(row, mail())
        assert row.state is MailState.DONE
        assert Event.MAIL_REPLAYED in events(desk)

    def test_where_not_even_a_ticket_can_be_made_it_waits_in_the_ledger(self, desk: Desk) -> None:
        [row] = desk.take(mail())
        outcomes.give_up(desk.s, row.id, "KeyError: oops", now=desk.now)
        assert (row.state, row.ticket, row.reason) == (MailState.QUARANTINED, None, "KeyError: oops")


def test_an_ignored_mail_can_be_replayed_and_a_settled_one_can_not(desk: Desk) -> None:
    ignored = desk.deliver(mail(sender="support@desk.example"))
    assert actions.replay(desk.s, ignored.id, now=desk.now).state is MailState.NEW
    with pytest.raises(Conflict, match="is done"):
        actions.replay(desk.s, desk.deliver(mail(mail_id="<2@a>")).id, now=desk.now)
    with pytest.raises(NotFound):
        actions.replay(desk.s, 999_999, now=desk.now)


def test_only_what_waits_for_a_person_can_be_dropped(desk: Desk) -> None:
    with pytest.raises(Conflict, match="only quarantined and ignored mails can be dropped"):
        actions.drop(desk.s, desk.deliver(mail()).id, now=desk.now)
    with pytest.raises(NotFound):
        actions.drop(desk.s, 999_999, now=desk.now)


def test_every_outcome_is_told_to_the_server_once(desk: Desk) -> None:
    done, ignored, [new] = desk.deliver(mail()), desk.deliver(mail(sender="support@desk.example")), desk.take(mail("new"))
    rows = queries.to_acknowledge(desk.s, desk.mailbox, uidvalidity=1)
    assert rows == [(done.id, done.uid), (ignored.id, ignored.uid)]
    actions.acknowledged(desk.s, [id for id, _ in rows], now=desk.now)
    assert queries.to_acknowledge(desk.s, desk.mailbox, uidvalidity=1) == []
    assert list(queries.waiting(desk.s, after=0, limit=9)) == [new.id]


def test_the_ledger_lists_the_newest_first_and_can_be_narrowed(desk: Desk) -> None:
    rows = [desk.deliver(mail(str(n), mail_id=f"<{n}@a>")) for n in range(3)]
    desk.deliver(mail(sender="support@desk.example"))
    assert [r["id"] for r in queries.ledger(desk.s, state="done")] == [r.id for r in reversed(rows)]
    [last] = queries.ledger(desk.s, state="done", before=rows[1].id)
    assert (last["id"], last["sender"], last["ticket"]) == (rows[0].id, "carol@acme.example", rows[0].ticket)


def test_the_mailboxes_say_how_many_mails_wait_for_a_person(desk: Desk) -> None:
    TestQuarantine().quarantined(desk)
    [state] = queries.mailbox_states(desk.s)
    assert (state["name"], state["state"], state["quarantined"]) == ("support@desk.example", "ok", 1)
