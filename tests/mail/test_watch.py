"""Taking mail from a server: in order, once, and without leaving traces that are not meant."""

import hashlib
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.intake import managed
from app.intake import watch as watches
from app.intake.models import Mailbox
from app.intake.rules import patience
from app.intake.rules.states import FailureClass, MailboxState, MailState
from app.intake.stubborn import LARGEST
from app.tickets.models import Message, Ticket
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, Stored, eventually
from tests.unit.intake.letters import mail


def letter(n: int) -> bytes:
    return mail(f"It is broken, {n}.", mail_id=f"<{n}@acme.example>")


def test_the_first_look_takes_what_nobody_has_read_of_the_last_day(desk: Desk, peer: Server) -> None:
    peer.add(letter(1), at=datetime.now(UTC) - timedelta(days=2))
    peer.add(letter(2), flags=r"\Seen")
    [fresh] = peer.add(letter(3))
    with desk.watching():
        eventually(lambda: desk.mailbox().last_ok_at)
    assert [row.uid for row in desk.ledger()] == [fresh]
    assert desk.mailbox().last_uid == fresh


def test_mail_that_comes_later_is_taken_whatever_its_date_or_flags(desk: Desk, peer: Server) -> None:
    with desk.watching():
        eventually(lambda: desk.mailbox().last_ok_at)
        peer.add(letter(1), at=datetime.now(UTC) - timedelta(days=400), flags=r"\Seen")
        eventually(lambda: len(desk.ledger()) == 1)


def test_a_server_that_idles_tells_of_new_mail_long_before_the_next_look(desk: Desk, peer: Server) -> None:
    with desk.watching(desk.boot(EMAIL_POLL_INTERVAL="3600")):
        eventually(lambda: "IDLE" in peer.asked)
        peer.add(letter(1))
        eventually(desk.ledger)


@pytest.mark.parametrize("command", ["NOOP", "SEARCH", "FETCH"])
def test_mail_that_the_server_tells_of_while_we_look_does_not_wait_for_the_next_look(
    desk: Desk, peer: Server, command: str
) -> None:
    with desk.watching(desk.boot(EMAIL_POLL_INTERVAL="3600")):
        eventually(lambda: "IDLE" in peer.asked)
        peer.late[command] = letter(2)
        peer.add(letter(1))
        eventually(lambda: len(desk.ledger()) == 2)


def test_a_server_that_can_not_idle_is_asked_every_interval(desk: Desk, peer: Server) -> None:
    peer.capabilities = "IMAP4rev1"
    with desk.watching():
        eventually(lambda: desk.mailbox().last_ok_at)
        peer.add(letter(1))
        eventually(desk.ledger)
    assert "IDLE" not in peer.asked


def test_looking_leaves_no_trace_and_only_an_outcome_is_flagged(desk: Desk, peer: Server) -> None:
    [uid] = peer.add(letter(1))
    with desk.watching() as watch:
        eventually(desk.ledger)
        time.sleep(0.3)
        assert peer.mails[uid].flags == set()
        desk.process()
        watch.settled.set()
        eventually(lambda: peer.flagged(r"\Seen") == {uid})
        eventually(lambda: desk.ledger()[0].server_acked_at)
    assert "$AtumDesk" in peer.mails[uid].flags
    assert all("BODY.PEEK" in asked for asked in peer.asked if "BODY" in asked)
    assert not any("EXPUNGE" in asked or "Deleted" in asked for asked in peer.asked)


def test_a_folder_that_takes_no_keywords_gets_none(desk: Desk, peer: Server) -> None:
    peer.permanent_flags = r"\Seen"
    [uid] = peer.add(letter(1))
    with desk.watching() as watch:
        eventually(desk.ledger)
        desk.process()
        watch.settled.set()
        eventually(lambda: peer.mails[uid].flags)
    assert peer.mails[uid].flags == {r"\Seen"}


def test_a_mail_that_no_longer_exists_counts_as_flagged(desk: Desk, peer: Server) -> None:
    peer.add(letter(1))
    peer.store_answer = "NO Some of the requested messages no longer exist."
    with desk.watching() as watch:
        eventually(desk.ledger)
        desk.process()
        watch.settled.set()
        eventually(lambda: desk.ledger()[0].server_acked_at)


def test_a_refusal_to_flag_is_told_once_and_stops_nothing(desk: Desk, peer: Server, caplog: pytest.LogCaptureFixture) -> None:
    peer.add(letter(1))
    peer.store_answer = "NO [NOPERM] Read-only."
    with desk.watching() as watch:
        eventually(desk.ledger)
        desk.process()
        for n in (2, 3):
            watch.settled.set()
            peer.add(letter(n))
            eventually(lambda n=n: len(desk.ledger()) == n)  # type: ignore[misc]
    assert [r.message for r in caplog.records].count("the server won't flag what we have taken") == 1
    assert desk.mailbox().state is MailboxState.OK


@pytest.mark.parametrize(
    "junk",
    [
        b"* 1 FETCH (UID x)\r\n",
        b"* 1 FETCH (UID 1 BODY[] {999999}\r\nshort)\r\n",
        b"* 1 FETCH (UID 1 BODY[] {3}\r\nmuch longer than it says)\r\n",
        b'* 1 FETCH (UID 1 INTERNALDATE "yesterday" BODY[] NIL)\r\n',
        b"* 1 FETCH (((\r\n",
        b"* 1 FETCH UID\r\n",
        b"\xff\xfe\x00\r\n",
        b"* BYE going down\r\n",
        b"* 1 EXPUNGE\r\n* 0 EXISTS\r\n",
    ],
)
def test_a_server_that_talks_nonsense_loses_and_doubles_nothing(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch, junk: bytes
) -> None:
    monkeypatch.setattr("app.intake.wire.PATIENCE", 0.3)
    peer.add(letter(1))
    peer.junk = junk
    settings = desk.boot()
    desk.watch(settings).turn()
    assert desk.mailbox().state is MailboxState.FAILING
    assert desk.ledger() == []
    peer.junk = b""
    desk.pretend(next_try_at=None)
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().state is MailboxState.OK)
    assert [row.raw_sha256 for row in desk.ledger()] == [_sha(letter(1))]


def test_renumbering_brings_nothing_twice_and_loses_nothing(desk: Desk, peer: Server) -> None:
    peer.add(letter(0), flags=r"\Seen", at=datetime.now(UTC) - timedelta(days=30))
    settings = desk.boot()
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
        peer.add(*(letter(n) for n in (1, 2, 3)))
        eventually(lambda: len(desk.ledger()) == 3)
        desk.process()
    peer.add(letter(4))
    peer.renumber()
    with desk.watching(settings):
        eventually(lambda: len(desk.ledger()) == 7)
        peer.add(letter(5))
        eventually(lambda: len(desk.ledger()) == 8)
        desk.process()
    assert [row.state for row in desk.ledger()].count(MailState.DUPLICATE) == 3
    assert desk.count(Ticket) == desk.count(Message) == 5
    assert all(row.server_acked_at for row in desk.ledger()[:3])


def test_a_restored_folder_whose_old_mails_look_new_waits_for_a_person(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watches.OLD_AT_MOST == 50
    monkeypatch.setattr(watches, "OLD_AT_MOST", 2)
    old = [letter(n).replace(b"Subject:", b"Date: Mon, 06 Jan 2020 10:00:00 +0100\r\nSubject:", 1) for n in range(10, 13)]
    peer.add(*old, flags=r"\Seen", at=datetime.now(UTC) - timedelta(days=2000))
    settings = desk.boot()
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
        peer.add(letter(1))
        eventually(lambda: len(desk.ledger()) == 1)
    for stored in peer.mails.values():
        stored.at = datetime.now(UTC)
    peer.renumber()
    desk.watch(settings).turn()
    mailbox = desk.mailbox()
    assert (mailbox.failure_class, len(desk.ledger())) == (FailureClass.FOLDER, 1)
    assert "3 mails that are older than this mailbox look new" in str(mailbox.reason)
    with desk.database.transaction() as s:
        since = datetime.now(UTC) + timedelta(days=1)
        managed.change(s, settings, s.get_one(Mailbox, mailbox.id), import_since=since, now=since)
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().state is MailboxState.OK)
        peer.add(letter(2))
        eventually(lambda: len(desk.ledger()) == 2)


def test_a_mailbox_that_is_read_begins_anew_when_somebody_wants_older_mail(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "LOOK_AGAIN", 0.1)
    [old, wanted] = peer.add(letter(1), letter(2), flags=r"\Seen")
    peer.mails[old].at -= timedelta(days=90)
    peer.mails[wanted].at -= timedelta(days=30)
    settings = desk.boot()
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
        peer.add(letter(3))
        eventually(lambda: len(desk.ledger()) == 1)
        with desk.database.transaction() as s:
            since = datetime.now(UTC) - timedelta(days=60)
            managed.change(s, settings, s.get_one(Mailbox, desk.mailbox().id), import_since=since, now=since)
        eventually(lambda: {row.uid for row in desk.ledger()} == {wanted, 3})
        peer.add(letter(4))
        eventually(lambda: desk.mailbox().last_uid == 4)


def test_a_poller_ended_in_the_middle_of_its_first_look_begins_it_again(desk: Desk, peer: Server) -> None:
    peer.add(*(letter(n) for n in range(60)))
    settings = desk.boot()
    first = desk.watch(settings)
    first._arrived = first._stop  # ends it after the first batch
    first.turn()
    assert 0 < len(desk.ledger()) < 60
    assert desk.mailbox().uidvalidity is None
    with desk.watching(settings):
        eventually(lambda: len(desk.ledger()) == 60)


def test_a_mail_the_server_lists_but_does_not_give_is_not_skipped(desk: Desk, peer: Server) -> None:
    uids = peer.add(letter(1), letter(2))
    peer.withheld = {uids[0]}
    settings = desk.boot()
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().state is MailboxState.FAILING)
        assert f"does not give mail {uids[0]}" in str(desk.mailbox().reason)
        peer.withheld = set()
        desk.pretend(next_try_at=None)
        eventually(lambda: len(desk.ledger()) == 2)
    assert not any(row.header_only for row in desk.ledger())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that tries again at once."""
    monkeypatch.setattr(patience, "before_next_try", lambda *_, **__: timedelta(0))


STUBBORN = ["withheld", "refused", "broken"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", STUBBORN)
@pytest.mark.parametrize("header", [True, False], ids=["header", "nothing"])
def test_a_mail_that_is_never_given_does_not_keep_the_others_waiting(desk: Desk, peer: Server, how: str, header: bool) -> None:
    uids = peer.add(*(letter(n) for n in range(30)))
    peer.stubborn[uids[3]] = how if header else f"{how} header"
    with desk.watching(desk.boot()):
        eventually(lambda: len(desk.ledger()) == 30)
        eventually(lambda: desk.mailbox().state is MailboxState.OK)
        desk.process()
    [row] = [row for row in desk.ledger() if row.refusal]
    assert (row.uid, row.state, row.subject) == (uids[3], MailState.QUARANTINED, "Help" if header else None)
    assert desk.count(Ticket) == 30
    with desk.database.transaction() as s:
        told = s.query(Message).filter_by(ticket=row.ticket).one().text
    assert str(row.refusal) in told
    assert f"(UID {row.uid})" in told
    assert sum("BODY.PEEK[]" in asked for asked in peer.asked) < 20 + 20 + 3 + 10


@pytest.mark.usefixtures("impatient")
def test_a_mail_that_is_given_at_last_becomes_what_it_would_have_been(
    desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "LOOK_BACK_EVERY", 0.2)
    [uid] = peer.add(letter(1))
    peer.stubborn[uid] = "refused header"
    with desk.watching(desk.boot()) as watch:
        eventually(desk.ledger)
        desk.process()
        watch.settled.set()
        eventually(lambda: sum("BODY.PEEK[]" in asked for asked in peer.asked) > 5)
        assert peer.mails[uid].flags == set()
        peer.stubborn.clear()
        eventually(lambda: desk.ledger()[0].state is MailState.NEW)
        desk.process()
        watch.settled.set()
        eventually(lambda: peer.flagged(r"\Seen") == {uid})
    [row] = desk.ledger()
    assert (row.state, row.refusal, row.raw_sha256) == (MailState.DONE, None, _sha(letter(1)))
    with desk.database.transaction() as s:
        assert s.query(Message).filter_by(inbound_mail_id=row.id).one().ticket == row.ticket


@pytest.mark.usefixtures("impatient")
def test_two_mails_of_which_nothing_is_given_are_no_duplicates(desk: Desk, peer: Server) -> None:
    uids = peer.add(letter(1), letter(2))
    peer.stubborn = dict.fromkeys(uids, "refused header")
    with desk.watching(desk.boot()):
        eventually(lambda: len(desk.ledger()) == 2)
        desk.process()
    assert {row.state for row in desk.ledger()} == {MailState.QUARANTINED}
    assert desk.count(Ticket) == 2


def test_a_mail_that_shows_up_behind_the_others_is_taken(desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "LOOK_BACK_EVERY", 0.2)
    settings = desk.boot()
    now = datetime.now(UTC)
    desk.pretend(created_at=now - timedelta(hours=1))
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
        peer.uidnext = 3
        peer.add(letter(3))
        eventually(lambda: desk.mailbox().last_uid == 3)
        peer.mails[2] = Stored(letter(2), set(), now)
        eventually(lambda: {row.uid for row in desk.ledger()} == {2, 3})
        assert desk.mailbox().last_uid == 3


def test_looking_back_leaves_alone_what_was_there_before_us(desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "LOOK_BACK_EVERY", 0.1)
    peer.add(letter(1), flags=r"\Seen", at=datetime.now(UTC) - timedelta(minutes=5))
    with desk.watching():
        eventually(lambda: sum("SINCE" in asked for asked in peer.asked) > 2)
    assert desk.ledger() == []


def test_of_a_mail_too_large_only_the_header_is_fetched(desk: Desk, peer: Server) -> None:
    [uid] = peer.add(letter(1))
    peer.sizes[uid] = LARGEST + 1
    with desk.watching():
        eventually(desk.ledger)
        desk.process()
    [row] = desk.ledger()
    assert (row.header_only, row.size, row.state) == (True, LARGEST + 1, MailState.DONE)
    assert not any("BODY.PEEK[]" in asked for asked in peer.asked)
    with desk.database.transaction() as s:
        assert "too large to be fetched" in s.query(Message).one().text


def test_a_second_poller_leaves_the_mailbox_to_the_first(desk: Desk, peer: Server) -> None:
    settings = desk.boot()
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
        assert desk.watch(settings).turn() == watches.LOOK_AGAIN
    assert peer.logins == 1


def test_a_poller_that_lost_its_lease_can_not_move_the_cursor(desk: Desk, peer: Server) -> None:
    class Thief(threading.Event):
        def set(self) -> None:
            desk.pretend(lease_epoch=99)

    peer.add(letter(1))
    watch = desk.watch()
    watch._arrived = Thief()
    assert watch.turn() == watches.LOOK_AGAIN
    assert (desk.mailbox().uidvalidity, desk.mailbox().state) == (None, MailboxState.OK)


def test_stopping_does_not_wait_for_the_next_look(desk: Desk, peer: Server) -> None:
    with desk.watching(desk.boot(EMAIL_POLL_INTERVAL="3600")):
        eventually(lambda: "IDLE" in peer.asked)
        began = time.monotonic()
    assert time.monotonic() - began < 30


def test_an_old_connection_that_breaks_is_no_failure(desk: Desk, peer: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "STEADY", 0.0)
    with desk.watching():
        eventually(lambda: desk.mailbox().last_ok_at)
        time.sleep(0.1)
        peer.cut(1)
        peer.add(letter(1))
        eventually(desk.ledger)
    assert peer.logins == 2
    assert desk.mailbox().failing_since is None


def test_a_failure_that_lasts_names_its_class(desk: Desk, peer: Server) -> None:
    peer.select_answer = "NO [NONEXISTENT] Unknown folder."
    desk.watch().turn()
    mailbox = desk.mailbox()
    assert (mailbox.state, mailbox.failure_class) == (MailboxState.FAILING, FailureClass.FOLDER)


def _sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
