"""A mail that the desk sends itself where it is quiet, out by SMTP and back by IMAP; and what is said when it isn't back."""

import email
from collections.abc import Iterator
from datetime import timedelta
from email import policy

import pytest
from sqlalchemy import Interval, literal, select, update

from app.accounts import actions as accounts
from app.accounts.rules import Role
from app.config import Settings
from app.db.session import now as database_now
from app.files.disk import Blobs
from app.intake import canary, queries
from app.intake.canary import Canaries
from app.intake.models import Canary, InboundMail, Mailbox
from app.intake.rules.states import FailureClass, MailboxState, MailState
from app.ops import health
from app.outbox.delivery import process_one
from app.outbox.house import house
from app.outbox.models import Kind, Letter, State
from app.tickets.models import Message, Ticket
from app.web.agent import trouble
from tests.db.outbox.conftest import line
from tests.db.outbox.sink import Sink, running
from tests.mail.conftest import Desk
from tests.mail.imap_server import USER, Server, eventually
from tests.unit.intake.letters import mail

HOUR = timedelta(hours=1)
OUT = ("Mail goes out", "Mail is not going out")  # another matter


class Quiet:
    """A desk whose mailbox is read and gets no mail, and the server that takes its letters."""

    def __init__(self, desk: Desk, peer: Server, sink: Sink) -> None:
        self.desk, self.peer, self.sink = desk, peer, sink
        self.settings = desk.boot(SMTP_HOST="127.0.0.1", SMTP_PORT=str(sink.port), SMTP_SECURITY="none")
        with desk.database.transaction() as s:
            accounts.add(s, email="root@desk.example", name="Root", role=Role.ADMIN, now=database_now(s))
        self.read()

    def read(self) -> None:
        """The mailbox was read this moment, and there was nothing new."""
        with self.desk.database.transaction() as s:
            s.execute(update(Mailbox).values(last_ok_at=database_now(s)))

    def later(self, length: timedelta, *, read: bool = True) -> None:
        """So much time passes: all that was, was so much earlier."""
        ago = literal(length, Interval())
        with self.desk.database.transaction() as s:
            for table, names in {
                Mailbox: ("created_at", "last_ok_at"),
                Canary: ("asked_at", "came_at", "since"),
                Letter: ("created_at", "next_at", "sent_at"),
                InboundMail: ("received_at", "taken_at"),
            }.items():
                columns = table.__table__.c
                s.execute(update(table).values({name: columns[name] - ago for name in names}))
        if read:
            self.read()

    def look(self, settings: Settings | None = None) -> Canary:
        """What the poller does every half a minute."""
        Canaries(self.desk.database, settings or self.settings).turn()
        with self.desk.database.transaction() as s:
            return s.scalars(select(Canary)).one()

    def send(self) -> None:
        """What the outbox's sender does."""
        blobs = Blobs(self.desk.folder / "files")
        ours = house(self.settings, others=[USER])
        with line(self.sink.account()) as carrier:
            while process_one(self.desk.database, ours, carrier, blobs):
                pass

    def deliver(self, *raws: bytes) -> None:
        """These mails come, are taken and get their outcome; the server is told."""
        before = len(self.desk.ledger())
        self.peer.add(*raws)
        with self.desk.watching(self.settings) as watch:
            eventually(lambda: len(self.desk.ledger()) == before + len(raws))
            self.desk.process()
            watch.settled.set()
            eventually(lambda: all(row.server_acked_at for row in self.desk.ledger()))

    def probes(self) -> list[Letter]:
        return [letter for letter in self.letters() if letter.dedupe_key.startswith("probe:")]

    def letters(self) -> list[Letter]:
        with self.desk.database.transaction() as s:
            return list(s.scalars(select(Letter).order_by(Letter.id)))

    def said(self) -> list[str]:
        """What the page of tickets says is amiss. Health says the same."""
        with self.desk.database.reading() as c:
            words = list(queries.too_quiet(c))
            part = health.mailboxes(c)
            assert part.status == (health.DEGRADED if words else health.OK)
            assert part.reason == (" ".join(words) or None)
            assert [one for one in trouble.words(c, self.settings) if not one.startswith(OUT)] == words
        return words


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running(Sink()) as server:
        yield server


@pytest.fixture
def quiet(desk: Desk, peer: Server, sink: Sink) -> Quiet:
    return Quiet(desk, peer, sink)


def test_a_mail_to_itself_comes_back_and_becomes_nothing(quiet: Quiet, desk: Desk, peer: Server, sink: Sink) -> None:
    quiet.look()
    assert quiet.probes() == []
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.look()
    quiet.send()
    [taken] = sink.taken
    assert (taken.recipient, taken.message["From"].addresses[0].addr_spec, taken.message["Auto-Submitted"]) == (
        USER,
        USER,
        "auto-generated",
    )
    quiet.look()
    assert len(quiet.probes()) == 1
    quiet.deliver(taken.raw)
    [row] = desk.ledger()
    assert row.state is MailState.IGNORED
    assert (row.reason or "").startswith("the desk's own probe, back after ")
    assert desk.count(Ticket) == desk.count(Message) == 0
    assert [letter.state for letter in quiet.letters()] == [State.SENT]  # nobody was told of anything
    assert peer.flagged(r"\Seen") == {row.uid}
    known = quiet.look()
    assert known.came_at
    assert len(known.trips) == 1
    assert 0 <= known.trips[0] < 10
    assert quiet.said() == []
    quiet.later(5 * HOUR)
    quiet.look()
    assert len(quiet.probes()) == 1
    quiet.later(1 * HOUR)
    quiet.look()
    assert len(quiet.probes()) == 2


def test_it_is_known_whatever_relays_make_of_its_header(quiet: Quiet, desk: Desk, sink: Sink) -> None:
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    message = email.message_from_bytes(sink.taken[0].raw, policy=policy.default)
    for name, value in {
        "Message-ID": "<010f0199.rewritten@eu-west-1.relay.example>",
        "Subject": f"[EXTERNAL] ***SPAM*** {message['Subject'].upper()}",
        "From": "Support via Relay <bounces@relay.example>",
    }.items():
        del message[name]
        message[name] = value
    quiet.deliver(message.as_bytes())
    assert quiet.look().came_at
    assert desk.count(Ticket) == 0


def test_a_mark_that_is_not_signed_by_us_is_a_stranger_s_words(quiet: Quiet, desk: Desk) -> None:
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.deliver(mail(subject="Does mail still come in? [probe-1.1.aaaaaaaaaaaaaaaa]"))
    assert quiet.look().came_at is None
    assert desk.count(Ticket) == 1


def test_an_answer_to_it_is_somebody_s_words(quiet: Quiet, desk: Desk, sink: Sink) -> None:
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    sent = sink.taken[0].message
    quiet.deliver(mail(subject=f"Re: {sent['Subject']}", In_Reply_To=str(sent["Message-ID"])))
    assert desk.count(Ticket) == 1


def test_a_mailbox_that_gets_mail_is_not_asked(quiet: Quiet) -> None:
    quiet.later(6 * HOUR)
    quiet.deliver(mail())
    quiet.later(5 * HOUR)
    quiet.look()
    assert quiet.probes() == []


def test_one_that_is_not_back_is_told_once_and_until_mail_comes(
    quiet: Quiet, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    quiet.later(timedelta(minutes=14))
    quiet.look()
    assert quiet.said() == []
    quiet.later(timedelta(minutes=2))
    quiet.look()
    [words] = quiet.said()
    assert "not even the mail that the desk sent there itself" in words
    for _ in range(3):  # more are sent meanwhile, and the words stay
        quiet.later(2 * HOUR)
        quiet.look()
        assert len(quiet.said()) == 1
        quiet.send()
        quiet.look()
        assert len(quiet.said()) == 1
    assert len(quiet.probes()) == 4
    told = [letter for letter in quiet.letters() if letter.dedupe_key.startswith("quiet:")]
    assert [(letter.to_address, letter.kind) for letter in told] == [("root@desk.example", Kind.NOTICE)]
    assert [record.message for record in caplog.records].count("a mailbox is too quiet") == 1
    quiet.deliver(sink.taken[0].raw)  # late, but there
    quiet.look()
    assert quiet.said() == []


def test_any_other_mail_says_as_much(quiet: Quiet) -> None:
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    quiet.deliver(mail())
    quiet.later(HOUR)
    quiet.look()
    assert quiet.said() == []


def test_it_may_take_as_long_as_it_took_before(quiet: Quiet, desk: Desk) -> None:
    quiet.look()
    with desk.database.transaction() as s:
        s.execute(update(Canary).values(trips=[1200.0]))
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    quiet.later(timedelta(minutes=55))
    quiet.look()
    assert quiet.said() == []
    quiet.later(timedelta(minutes=10))
    quiet.look()
    assert len(quiet.said()) == 1


def test_what_was_not_looked_for_is_not_missed(quiet: Quiet) -> None:
    """The poller was stopped, or the mailbox paused."""
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    quiet.later(5 * HOUR, read=False)
    quiet.look()
    assert quiet.said() == []


def test_a_mailbox_that_can_t_be_read_says_that_and_nothing_else(quiet: Quiet, desk: Desk) -> None:
    quiet.later(6 * HOUR)
    desk.pretend(state=MailboxState.FAILING, failure_class=FailureClass.AUTH, reason="no")
    quiet.look()
    assert quiet.probes() == []


def test_where_our_server_does_not_take_it_nothing_is_missed_and_it_is_tried_the_next_day(quiet: Quiet, sink: Sink) -> None:
    sink.rcpt.extend(["550 relaying denied"] * 2)
    quiet.later(6 * HOUR)
    quiet.look()
    quiet.send()
    assert [letter.state for letter in quiet.probes()] == [State.FAILED]
    quiet.later(20 * HOUR)
    quiet.look()
    assert quiet.said() == []
    assert len(quiet.probes()) == 1
    quiet.later(4 * HOUR)
    quiet.look()
    assert len(quiet.probes()) == 2


def busy_weeks(quiet: Quiet) -> None:
    """Mail came every hour for four weeks, and then none for eight hours."""
    quiet.deliver(mail())
    with quiet.desk.database.transaction() as s:
        s.connection().exec_driver_sql(
            "INSERT INTO inbound_mail (mailbox_id, uidvalidity, uid, raw_sha256, size, header_only, received_at, taken_at, state,"
            " attempts) SELECT mailbox_id, uidvalidity, 1000 + h, raw_sha256, size, false, now() - h * interval '1 hour',"
            " now() - h * interval '1 hour', 'done', 0 FROM inbound_mail, generate_series(700, 1, -1) h"
        )
    quiet.later(8 * HOUR)


def test_an_improbable_silence_is_told_where_no_mail_can_be_sent(quiet: Quiet) -> None:
    busy_weeks(quiet)
    quiet.look(quiet.desk.boot())  # as always
    settings = quiet.settings
    without = quiet.desk.settings(SMTP_HOST="")
    quiet.settings = without
    quiet.look(without)
    [words] = quiet.said()
    assert "unusual" in words
    assert "there is no SMTP server" in words
    quiet.settings = settings
    quiet.deliver(mail(mail_id="<2@x>"))
    quiet.look(without)
    assert quiet.said() == []


def test_an_improbable_silence_is_looked_into_soon(quiet: Quiet, sink: Sink) -> None:
    busy_weeks(quiet)
    quiet.look()
    quiet.send()
    quiet.deliver(sink.taken[-1].raw)
    quiet.later(2 * HOUR)
    quiet.look()
    assert len(quiet.probes()) == 2
    assert quiet.said() == []


def test_mail_that_waits_for_its_outcome_is_told(quiet: Quiet, desk: Desk, peer: Server) -> None:
    peer.add(mail())
    with desk.watching(quiet.settings):
        eventually(desk.ledger)
    quiet.later(timedelta(minutes=16))
    with desk.database.reading() as c:
        part = health.mailboxes(c)
    assert part.status == health.DEGRADED
    assert "1 mails have come and not been looked at" in (part.reason or "")


def test_a_letter_that_waits_for_long_is_told(quiet: Quiet, desk: Desk) -> None:
    quiet.later(6 * HOUR)
    quiet.look()
    for waited in (14, 2):
        quiet.later(timedelta(minutes=waited))
        with desk.database.reading() as c:
            words = trouble.words(c, quiet.settings)
        assert [one.partition(":")[0] for one in words] == ([] if waited == 14 else ["Mail goes out late"])


def test_a_number_that_is_not_the_last_one_changes_nothing(quiet: Quiet, desk: Desk) -> None:
    quiet.later(6 * HOUR)
    known = quiet.look()
    with desk.database.transaction() as s:
        assert "late" in canary.came_back(s, known.mailbox_id, known.probe + 1, now=database_now(s))
        assert "late" in canary.came_back(s, 999, 1, now=database_now(s))
    assert quiet.look().came_at is None
