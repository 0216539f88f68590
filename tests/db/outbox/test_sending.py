"""Every letter goes out once, whatever the server says and whenever the sender dies."""

import contextlib
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from app.db.session import now as time_of
from app.files import actions as files
from app.outbox import actions
from app.outbox.models import Kind, RelayState, State
from tests.db.outbox.conftest import Outbox, line
from tests.db.outbox.sink import PASSWORD, USER, Sink

pytestmark = [
    pytest.mark.db,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS", "ignore:Session.login_data"),
]


def test_a_letter_is_sent_once(outbox: Outbox, sink: Sink) -> None:
    assert outbox.put()
    assert not outbox.put()
    assert outbox.process(sink.account()) == 1
    assert outbox.process(sink.account()) == 0
    letter = outbox.letter()
    assert (letter.state, letter.next_at, letter.last_error) == (State.SENT, None, None)
    assert letter.sent_at
    [taken] = sink.taken
    assert taken.message["Message-ID"] == outbox.house.mail_id(letter.mail_id)
    assert (taken.sender, taken.recipient) == (outbox.house.return_address(letter.id), "carol@acme.example")


def test_a_letter_whose_transaction_failed_is_never_sent(outbox: Outbox, sink: Sink) -> None:
    with contextlib.suppress(ZeroDivisionError), outbox.database.transaction() as s:
        actions.put(s, outbox.draft(), now=time_of(s))
        raise ZeroDivisionError
    assert outbox.process(sink.account()) == 0
    assert outbox.put()


def test_a_put_off_letter_waits_a_minute_with_the_servers_words_and_then_goes(outbox: Outbox, sink: Sink) -> None:
    sink.rcpt.append("451 4.7.1 Greylisted, try again")
    outbox.put()
    assert outbox.process(sink.account()) == 1
    letter = outbox.letter()
    assert letter.state is State.QUEUED
    assert letter.last_error == "451 4.7.1 Greylisted, try again"
    assert letter.next_at
    assert timedelta(seconds=50) < letter.next_at - letter.created_at < timedelta(seconds=70)
    outbox.later()
    assert outbox.process(sink.account()) == 1
    assert outbox.letter().state is State.SENT
    assert outbox.letter().attempts == 2
    assert outbox.not_delivered() == []


@pytest.mark.parametrize("step", ["rcpt", "data"])
def test_a_refused_letter_fails_for_good_and_the_audit_says_why(outbox: Outbox, sink: Sink, step: str) -> None:
    getattr(sink, step).append("550 5.1.1 No such user")
    outbox.put()
    outbox.process(sink.account())
    letter = outbox.letter()
    assert (letter.state, letter.last_error) == (State.FAILED, "550 5.1.1 No such user")
    [told] = outbox.not_delivered()
    assert told == {"letter": letter.id, "to": "carol@acme.example", "reason": "550 5.1.1 No such user"}
    outbox.later()
    assert outbox.process(sink.account()) == 0


def test_a_letter_that_is_put_off_for_two_days_fails(outbox: Outbox, sink: Sink) -> None:
    outbox.put()
    tries = 0
    while outbox.letter().state is State.QUEUED:
        sink.rcpt.append("452 4.2.2 Mailbox full")
        outbox.later()
        outbox.process(sink.account())
        tries += 1
        assert tries < 60
    assert tries > 48
    assert outbox.letter().last_error == f"given up after {tries} tries: 452 4.2.2 Mailbox full"
    assert len(outbox.not_delivered()) == 1


def test_a_refused_password_pauses_the_whole_queue_and_costs_no_letter_a_try(outbox: Outbox, guarded: Sink) -> None:
    outbox.put("one", ticket=1)
    outbox.put("two", ticket=2)
    wrong = guarded.account(user=USER, password="wrong")
    assert outbox.process(wrong) == 1
    assert outbox.process(wrong) == 0
    assert len(guarded.signed_in) == 1
    relay = outbox.relay()
    assert relay
    assert relay.state is RelayState.REFUSED
    assert relay.reason
    assert "535 5.7.8" in relay.reason
    assert [outbox.letter(key).attempts for key in ("one", "two")] == [0, 0]
    assert [outbox.letter(key).state for key in ("one", "two")] == [State.QUEUED, State.QUEUED]


def test_the_pauses_of_a_refused_password_grow_and_outlive_the_process(outbox: Outbox, guarded: Sink) -> None:
    outbox.put()
    wrong, minutes = guarded.account(user=USER, password="wrong"), []
    for _ in range(6):
        outbox.process(wrong)
        relay = outbox.relay()
        assert relay
        assert relay.next_try_at
        with outbox.database.transaction() as s:
            minutes.append(round((relay.next_try_at - time_of(s)).total_seconds() / 60))
        outbox.later()
    assert minutes == [1, 5, 15, 60, 360, 360]


def test_a_new_password_is_tried_at_once(outbox: Outbox, guarded: Sink) -> None:
    outbox.put()
    outbox.process(guarded.account(user=USER, password="wrong"))
    assert outbox.process(guarded.account(user=USER, password=PASSWORD)) == 1
    assert outbox.letter().state is State.SENT
    relay = outbox.relay()
    assert relay
    assert (relay.state, relay.reason, relay.next_try_at, relay.failures) == (RelayState.OK, None, None, 0)


def test_the_queue_goes_on_when_the_server_takes_the_password_again(outbox: Outbox, guarded: Sink) -> None:
    outbox.put()
    account = guarded.account(user=USER, password="new secret")
    outbox.process(account)
    guarded.accepts = "new secret"
    assert outbox.process(account) == 0
    outbox.later()
    assert outbox.process(account) == 1
    assert outbox.letter().state is State.SENT


def test_trouble_is_logged_when_it_begins_and_when_it_is_over(
    outbox: Outbox, guarded: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="app.outbox")
    outbox.put()
    for _ in range(3):
        outbox.process(guarded.account(user=USER, password="wrong"))
        outbox.later()
    outbox.process(guarded.account(user=USER, password=PASSWORD))
    said = [record.getMessage() for record in caplog.records if record.name.startswith("app.outbox")]
    assert said == ["outgoing mail waits: the server refuses us", "outgoing mail is taken again"]


def test_a_server_that_wants_a_sign_in_we_have_none_for_pauses_the_queue(outbox: Outbox, guarded: Sink) -> None:
    outbox.put()
    outbox.process(guarded.account())
    relay = outbox.relay()
    assert relay
    assert relay.reason == "the server wants us to sign in: 530 5.7.0 Authentication required"


def test_an_unreachable_server_is_tried_once_for_the_whole_queue(outbox: Outbox, sink: Sink) -> None:
    for ticket in range(5):
        outbox.put(f"reply:{ticket}", ticket=ticket)
    assert outbox.process(sink.account(port=1)) == 1
    relay = outbox.relay()
    assert relay
    assert relay.state is RelayState.UNREACHABLE
    assert relay.reason == "127.0.0.1:1 can't be reached: Connection refused"
    outbox.later()
    assert outbox.process(sink.account()) == 5
    assert all(outbox.letter(f"reply:{ticket}").attempts == 1 for ticket in range(5))


def test_a_server_that_is_shutting_down_loses_nothing(outbox: Outbox, sink: Sink) -> None:
    sink.mail.append("421 4.3.2 Service shutting down")
    outbox.put()
    outbox.process(sink.account())
    assert outbox.letter().state is State.QUEUED
    outbox.later()
    outbox.process(sink.account())
    assert len(sink.taken) == 1


def test_when_our_own_address_is_refused_no_letter_is_lost(outbox: Outbox, sink: Sink) -> None:
    sink.mail.extend(["553 5.7.1 Sender address rejected: not owned by user"] * 2)
    outbox.put()
    outbox.process(sink.account())
    relay = outbox.relay()
    assert relay
    assert relay.reason == "our address was refused: 553 5.7.1 Sender address rejected: not owned by user"
    assert outbox.letter().state is State.QUEUED


def test_a_letter_that_is_too_large_fails_alone(outbox: Outbox, sink: Sink) -> None:
    sink.mail.append("552 5.3.4 Message size exceeds fixed limit")
    outbox.put("large", ticket=1)
    outbox.put("small", ticket=2)
    assert outbox.process(sink.account()) == 2
    assert outbox.letter("large").state is State.FAILED
    assert outbox.letter("small").state is State.SENT


def test_a_server_that_refuses_a_return_path_that_names_the_letter_gets_our_address(outbox: Outbox, sink: Sink) -> None:
    sink.mail.append("553 5.7.1 Sender address rejected: not owned by user")
    outbox.put()
    outbox.process(sink.account())
    assert [one.sender for one in sink.taken] == ["support@desk.example"]
    assert outbox.relay() is None


def test_what_a_machine_writes_has_no_return_path(outbox: Outbox, sink: Sink) -> None:
    outbox.put(kind=Kind.NOTICE)
    outbox.process(sink.account())
    assert sink.taken[0].sender in {"", "<>"}


def test_a_server_that_refuses_an_empty_return_path_gets_our_address(outbox: Outbox, sink: Sink) -> None:
    sink.mail.append("550 5.7.60 Client does not have permissions to send as this sender")
    outbox.put(kind=Kind.NOTICE)
    outbox.process(sink.account())
    assert [one.sender for one in sink.taken] == ["support@desk.example"]
    assert outbox.relay() is None


def test_a_reply_in_doubt_goes_again_as_the_same_mail(outbox: Outbox, sink: Sink) -> None:
    sink.drop = 1
    outbox.put()
    outbox.process(sink.account())
    letter = outbox.letter()
    assert (letter.state, letter.doubts) == (State.QUEUED, 1)
    assert letter.last_error
    assert "before 127.0.0.1" in letter.last_error
    outbox.later()
    outbox.process(sink.account())
    first, second = sink.taken
    assert first.message.as_bytes() == second.message.as_bytes()
    assert outbox.letter().state is State.SENT


@pytest.mark.parametrize("kind", [Kind.NOTICE, Kind.ACKNOWLEDGEMENT])
def test_a_notice_in_doubt_is_left_unknown(outbox: Outbox, sink: Sink, kind: Kind) -> None:
    sink.drop = 1
    outbox.put(kind=kind)
    outbox.process(sink.account())
    outbox.later()
    assert outbox.process(sink.account()) == 0
    assert outbox.letter().state is State.UNKNOWN
    assert len(sink.taken) == 1


def test_a_reply_is_not_sent_for_ever_to_a_server_that_never_confirms(outbox: Outbox, sink: Sink) -> None:
    sink.drop = 10
    outbox.put()
    for _ in range(6):
        outbox.process(sink.account())
        outbox.later()
    assert len(sink.taken) == 3
    assert outbox.letter().state is State.UNKNOWN


@pytest.mark.parametrize(("kind", "state", "arrived"), [(Kind.REPLY, State.SENT, 2), (Kind.NOTICE, State.UNKNOWN, 1)])
def test_a_sender_killed_before_it_heard_the_answer(outbox: Outbox, sink: Sink, kind: Kind, state: State, arrived: int) -> None:
    outbox.put(kind=kind)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.db.outbox.child", outbox.database.dsn, str(sink.port), str(outbox.blobs.root)]
    )
    sink.before_accepting = lambda: os.kill(child.pid, signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL
    assert outbox.letter().state is State.SENDING
    sink.before_accepting = lambda: None
    assert outbox.process(sink.account()) == 0
    assert outbox.recover() == 1
    outbox.process(sink.account())
    assert outbox.letter().state is state
    assert len(sink.taken) == arrived
    assert len({one.message["Message-ID"] for one in sink.taken}) == 1


def test_letters_of_a_ticket_to_one_person_keep_their_order(outbox: Outbox, sink: Sink) -> None:
    sink.rcpt.append("450 4.2.0 Busy")
    outbox.put("first")
    outbox.put("second")
    outbox.put("other ticket", ticket=8)
    outbox.put("other person", to_address="bob@desk.example")
    outbox.process(sink.account())
    assert sink.subjects == ["other ticket", "other person"]
    outbox.later()
    outbox.process(sink.account())
    assert sink.subjects[2:] == ["first", "second"]


def test_a_letter_that_failed_holds_nobody_up(outbox: Outbox, sink: Sink) -> None:
    sink.rcpt.append("550 5.7.1 Not this one")
    outbox.put("first")
    outbox.put("second")
    outbox.process(sink.account())
    assert sink.subjects == ["second"]


def test_many_letters_go_over_one_connection(outbox: Outbox, guarded: Sink) -> None:
    for ticket in range(10):
        outbox.put(f"reply:{ticket}", ticket=ticket)
    assert outbox.process(guarded.account(user=USER, password=PASSWORD)) == 10
    assert len(guarded.signed_in) == 1


def test_a_connection_that_died_between_letters_is_opened_again(outbox: Outbox, sink: Sink) -> None:
    with line(sink.account()) as carrier:
        outbox.put("one")
        outbox.carry(carrier)
        assert carrier._smtp
        carrier._smtp.close()
        outbox.put("two")
        outbox.carry(carrier)
    assert sink.subjects == ["one", "two"]
    assert outbox.relay() is None


@pytest.mark.parametrize("address", ["carol@nobody.invalid", "carol\r\nRCPT TO:<m@evil.example>@x.example", ""])
def test_an_address_that_gets_no_mail_fails_at_once(outbox: Outbox, sink: Sink, address: str) -> None:
    outbox.put(to_address=address)
    assert outbox.process(sink.account()) == 0
    assert outbox.letter().state is State.FAILED
    assert len(outbox.not_delivered()) == 1


def attach(outbox: Outbox, content: bytes) -> str:
    """Hang a file on message 9; where its bytes lie."""
    kept = files.keep(outbox.blobs, name="plan.txt", content=content)
    with outbox.database.transaction() as s:
        files.attach(s, [kept], message_id=9, now=time_of(s))
    return kept.blob


def test_an_answer_takes_its_files_along(outbox: Outbox, sink: Sink) -> None:
    attach(outbox, b"\0\1\2")
    outbox.put()
    outbox.process(sink.account())
    [file] = sink.taken[0].message.iter_attachments()
    assert (file.get_filename(), file.get_payload(decode=True)) == ("plan.txt", b"\0\1\2")


def test_an_acknowledgement_carries_no_strangers_file(outbox: Outbox, sink: Sink) -> None:
    attach(outbox, b"spam")
    outbox.put(kind=Kind.ACKNOWLEDGEMENT)
    outbox.process(sink.account())
    assert list(sink.taken[0].message.iter_attachments()) == []


def test_a_letter_whose_file_is_gone_fails_and_the_others_go(outbox: Outbox, sink: Sink) -> None:
    outbox.blobs.path(attach(outbox, b"gone")).unlink()
    outbox.put("first")
    outbox.put("second", message_id=10)
    outbox.process(sink.account())
    assert outbox.letter("first").state is State.FAILED
    assert sink.subjects == ["second"]
    assert outbox.relay() is None
