"""The process: receivers that are slow or gone keep neither letters nor each other waiting."""

import signal
from pathlib import Path

import pytest

from app.outbox.models import Topic
from tests.db.outbox.conftest import Outbox
from tests.db.outbox.hooked import Hooked, a_desk
from tests.db.outbox.receiver import Receiver, listening
from tests.db.outbox.sink import Sink
from tests.db.outbox.test_outbox_sender import eventually, sender

pytestmark = pytest.mark.db


@pytest.fixture
def hooked(outbox: Outbox, tmp_path: Path) -> Hooked:
    (tmp_path / "data").mkdir()
    return a_desk(outbox.database, tmp_path / "data", secret="6b")


def test_letters_and_other_webhooks_do_not_wait_for_one_that_says_nothing(
    hooked: Hooked, outbox: Outbox, sink: Sink, tmp_path: Path
) -> None:
    with listening(Receiver(hangs=True)) as slow, listening() as quick, sender(outbox, sink, tmp_path, "tests.db.outbox.near"):
        hooked.add(slow)
        _, secret = hooked.add(quick, Topic.TICKET_CREATED)
        hooked.happens()
        eventually(lambda: slow.heard and quick.heard)
        assert quick.heard[0].signed_by(secret)
        outbox.put("meanwhile")
        assert eventually(lambda: sink.subjects == ["meanwhile"]) < 1.0
        hooked.happens(ticket=8)
        eventually(lambda: len(quick.heard) == 2)
        assert len(slow.heard) == 1


def test_it_stops_at_once_whatever_a_receiver_does_and_the_next_one_tells_it(
    hooked: Hooked, outbox: Outbox, sink: Sink, tmp_path: Path
) -> None:
    with listening(Receiver(hangs=True)) as slow, sender(outbox, sink, tmp_path, "tests.db.outbox.near") as process:
        id, _ = hooked.add(slow)
        hooked.happens()
        eventually(lambda: slow.heard)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0  # and not as long as the receiver may take
        [delivery] = hooked.deliveries(id)
        assert delivery.next_at is not None


def test_webhooks_are_told_where_there_is_no_smtp_server(hooked: Hooked, outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    with listening() as quick, sender(outbox, sink, tmp_path, "tests.db.outbox.near", SMTP_HOST=""):
        hooked.add(quick)
        hooked.happens()
        eventually(lambda: quick.types() == ["ticket.created"])
