"""What the page and health say of letters and of the server, in words."""

import pytest

from app.outbox import queries
from app.outbox.models import RelayState, State
from tests.db.outbox.conftest import Outbox
from tests.db.outbox.sink import Sink

pytestmark = pytest.mark.db


def words(outbox: Outbox, message: int = 9, *, configured: bool = True) -> str:
    """What the page says of a message's letter."""
    with outbox.database.reading() as c:
        return queries.fates(c, 7, configured=configured)[message].words


def test_a_fresh_letter_waits(outbox: Outbox) -> None:
    outbox.put()
    assert words(outbox) == "waiting: it is next in line"
    assert words(outbox, configured=False) == "waiting: no SMTP server is set (SMTP_HOST)"


def test_a_sent_letter_is_sent(outbox: Outbox, sink: Sink) -> None:
    outbox.put()
    outbox.process(sink.account())
    with outbox.database.reading() as c:
        fate = queries.fates(c, 7, configured=True)[9]
    assert (fate.state, fate.words) == (State.SENT, "sent")
    assert fate.at == outbox.letter().sent_at


def test_a_letter_that_is_put_off_shows_the_servers_words_and_the_next_try(outbox: Outbox, sink: Sink) -> None:
    sink.rcpt.append("451 4.7.1 Greylisted")
    outbox.put()
    outbox.process(sink.account())
    next_at = outbox.letter().next_at
    assert words(outbox) == f"waiting: 451 4.7.1 Greylisted (next try at {next_at:%Y-%m-%d %H:%M} UTC)"


def test_a_refused_letter_shows_the_servers_words(outbox: Outbox, sink: Sink) -> None:
    sink.rcpt.append("550 5.1.1 No such user")
    outbox.put()
    outbox.process(sink.account())
    assert words(outbox) == "not delivered: 550 5.1.1 No such user"


def test_a_letter_in_trouble_with_the_server_shows_the_trouble(outbox: Outbox, sink: Sink) -> None:
    outbox.put()
    outbox.process(sink.account(port=1))
    assert words(outbox) == "waiting: 127.0.0.1:1 can't be reached: Connection refused"


def test_a_letter_whose_fate_is_unknown_says_so(outbox: Outbox, sink: Sink) -> None:
    sink.drop = 3
    outbox.put()
    for _ in range(3):
        outbox.process(sink.account())
        outbox.later()
    assert words(outbox).startswith("perhaps not delivered: the connection broke before 127.0.0.1")


def test_the_standing_tells_what_waits_since_when_and_why(outbox: Outbox, sink: Sink) -> None:
    with outbox.database.reading() as c:
        empty = queries.standing(c)
    assert (empty.waiting, empty.oldest, empty.relay, empty.reason) == (0, None, RelayState.OK, None)
    outbox.put("first")
    outbox.put("second")
    outbox.process(sink.account(port=1))
    with outbox.database.reading() as c:
        standing = queries.standing(c)
    assert (standing.waiting, standing.oldest) == (2, outbox.letter("first").created_at)
    assert standing.relay is RelayState.UNREACHABLE
    assert standing.reason == "127.0.0.1:1 can't be reached: Connection refused"
    assert standing.since
    assert standing.next_try_at
    outbox.later()
    outbox.process(sink.account())
    with outbox.database.reading() as c:
        standing = queries.standing(c)
    assert (standing.waiting, standing.relay, standing.reason) == (0, RelayState.OK, None)
