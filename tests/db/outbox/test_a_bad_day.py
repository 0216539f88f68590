"""A mail server's bad day: whatever it says, for hours, every letter arrives once or its ticket says why not."""

from datetime import timedelta

import pytest

from app.db.session import now as time_of
from app.outbox import queries
from app.outbox.models import State
from tests.db.outbox.conftest import Outbox
from tests.db.outbox.sink import Sink

pytestmark = pytest.mark.db
SIX_HOURS = timedelta(hours=6)
OTHERS = ("dave@acme.example", "frank@acme.example")


def pause(outbox: Outbox, key: str) -> timedelta:
    """How long until anything is tried again."""
    letter, relay = outbox.letter(key), outbox.relay()
    times = [at for at in (letter.next_at, relay.next_try_at if relay else None) if at]
    with outbox.database.transaction() as s:
        return max(times) - time_of(s)


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("rcpt", "450 4.2.0 Mailbox busy"),
        ("rcpt", "451 4.3.0 Try later"),
        ("data", "451 4.3.0 Try later"),
        ("data", "452 4.3.1 Disk full"),
        ("mail", "421 4.3.2 Overloaded"),
        ("rcpt", "421 4.3.2 Overloaded"),
        ("data", "421 4.3.2 Overloaded"),
    ],
)
def test_after_six_hours_of_trouble_the_letter_arrives_once(outbox: Outbox, sink: Sink, step: str, answer: str) -> None:
    outbox.put()
    waited, tries = timedelta(), 0
    while waited < SIX_HOURS:
        getattr(sink, step).append(answer)
        assert outbox.process(sink.account()) == 1
        assert outbox.letter().state is State.QUEUED
        waited += pause(outbox, "reply:9")
        outbox.later()
        tries += 1
    assert tries < 200
    assert sink.taken == []
    assert outbox.process(sink.account()) == 1
    assert (len(sink.taken), outbox.letter().state) == (1, State.SENT)
    assert outbox.not_delivered() == []


@pytest.mark.parametrize("answer", ["450 4.2.0 Mailbox busy", "550 5.1.1 No such user", "552 5.2.2 Mailbox full"])
def test_what_one_recipients_server_says_is_nothing_to_the_others(outbox: Outbox, sink: Sink, answer: str) -> None:
    sink.rcpt.append(answer)
    outbox.put("carol")
    for address in OTHERS:
        outbox.put(address, to_address=address)
    assert outbox.process(sink.account()) == 3
    assert [one.recipient for one in sink.taken] == list(OTHERS)
    assert outbox.letter("carol").last_error == answer


def test_of_three_recipients_the_one_that_was_refused_is_told_on_the_message(outbox: Outbox, sink: Sink) -> None:
    sink.rcpt.extend(["250 OK", "550 5.1.1 No such user", "250 OK"])
    outbox.put("carol")
    for address in OTHERS:
        outbox.put(address, to_address=address)
    outbox.process(sink.account())
    with outbox.database.reading() as c:
        fate = queries.fates(c, 7, configured=True)[9]
    assert (fate.state, fate.words) == (State.FAILED, "not delivered: 550 5.1.1 No such user")
    assert [told["to"] for told in outbox.not_delivered()] == ["dave@acme.example"]


def test_a_server_that_refuses_every_text_fails_each_letter_once_with_its_words(outbox: Outbox, sink: Sink) -> None:
    sink.data.extend(["554 5.7.1 Spam"] * 3)
    for ticket in range(3):
        outbox.put(f"reply:{ticket}", ticket=ticket)
    assert outbox.process(sink.account()) == 3
    assert [told["reason"] for told in outbox.not_delivered()] == ["554 5.7.1 Spam"] * 3
    outbox.later()
    assert outbox.process(sink.account()) == 0
    outbox.put("after", ticket=9)
    assert outbox.process(sink.account()) == 1
    assert sink.subjects == ["after"]


def test_what_is_too_large_after_the_text_fails_alone(outbox: Outbox, sink: Sink) -> None:
    sink.data.append("552 5.3.4 Message too big")
    outbox.put("large", ticket=1)
    outbox.put("small", ticket=2)
    outbox.process(sink.account())
    assert outbox.letter("large").state is State.FAILED
    assert sink.subjects == ["small"]


def test_a_line_that_drops_again_and_again_before_the_answer_makes_one_mail_of_the_copies(outbox: Outbox, sink: Sink) -> None:
    sink.drop = 2
    outbox.put()
    for _ in range(3):
        outbox.process(sink.account())
        outbox.later()
    assert outbox.letter().state is State.SENT
    assert len({one.raw for one in sink.taken}) == 1
    assert len(sink.taken) == 3
