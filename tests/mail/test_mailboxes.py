"""Several mailboxes: added, tried, paused and removed by hand, each with its team and priority, and answered from its address."""

import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from app.accounts.models import Team
from app.config import Settings
from app.core.errors import Conflict, DeskError, Invalid, NotFound
from app.core.priority import Priority
from app.db.session import now as database_now
from app.entry import cli
from app.intake import mailboxes, managed, queries, wire
from app.intake.failure import MailboxFailure
from app.intake.models import Mailbox
from app.intake.rules.states import Disowned, MailboxState, SenderFrom
from app.tickets.models import Ticket
from tests.mail.conftest import Desk
from tests.mail.imap_server import PASSWORD, USER, Server, eventually, running
from tests.mail.test_poller import poller as poller
from tests.mail.test_poller import until
from tests.mail.test_watch import letter

SALES = "sales@desk.example"
Atum = Callable[..., Any]


@pytest.fixture
def second() -> Iterator[Server]:
    with running(Server(user=SALES)) as made:
        yield made


@pytest.fixture
def settings(desk: Desk) -> Settings:
    return desk.boot(DATABASE_URL=desk.database.dsn)


@pytest.fixture
def atum(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Atum:
    """atum("list", …, password="…"): what `atum mailbox` answers."""

    def run(*words: str, password: str = PASSWORD) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        given = cli._parser().parse_args(["mailbox", *words])
        return given.run(settings, given)[1]

    return run


@pytest.fixture
def added(atum: Atum, second: Server, desk: Desk) -> Server:
    """A second mailbox on a server of its own, for the team Billing, urgent."""
    with desk.database.transaction() as s:
        s.add(Team(name="Billing", description="", created_at=datetime.now(UTC), revision=1))
    add = ("add", SALES, "--host", "127.0.0.1", "--port", str(second.port), "--no-tls")
    assert "is read from now on" in atum(*add, "--team", "billing", "--priority", "urgent")
    return second


def box(desk: Desk, name: str = SALES) -> Mailbox:
    with desk.database.transaction() as s:
        return s.scalars(select(Mailbox).where(Mailbox.address == name)).one()


def wake(server: Server) -> None:
    """It keeps silent no longer: whoever waits for an answer is cut off, and answered when it comes again."""
    server.mute = server.silent = False
    for line in server.lines:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def test_what_comes_in_has_the_mailboxs_team_priority_and_address(desk: Desk, added: Server, peer: Server, poller: Any) -> None:
    peer.add(letter(1))
    added.add(letter(2))
    until(poller, lambda: desk.count(Ticket) == 2)
    with desk.database.transaction() as s:
        found = {t.desk_address: (t.team.name if t.team else None, t.priority) for t in s.scalars(select(Ticket))}
    assert found == {USER: (None, Priority.MEDIUM), SALES: ("Billing", Priority.URGENT)}


def test_the_same_mail_to_both_mailboxes_is_a_ticket_in_each(desk: Desk, added: Server, peer: Server, poller: Any) -> None:
    peer.add(letter(1))
    added.add(letter(1))
    until(poller, lambda: desk.count(Ticket) == 2)


def test_more_mailboxes_than_connections_to_the_database_are_all_read(
    desk: Desk, peer: Server, settings: Settings, poller: Any
) -> None:
    for n in range(12):
        account = replace(peer.account(), folder=f"Folder {n}")
        with desk.database.transaction() as s:
            managed.add(s, settings, account, address=f"box{n}@desk.example", now=database_now(s))
    peer.add(letter(1))
    until(poller, lambda: desk.count(Ticket) == 13)


def test_a_server_that_accepts_and_says_nothing_keeps_no_other_mailbox_waiting(
    desk: Desk, added: Server, peer: Server, poller: Any
) -> None:
    peer.mute = True
    began = time.monotonic()
    added.add(letter(1))
    until(poller, lambda: desk.count(Ticket) == 1)
    assert time.monotonic() - began < wire.PATIENCE
    assert box(desk, USER).last_ok_at is None
    wake(peer)


def test_a_hung_server_keeps_no_other_mailbox_waiting(desk: Desk, added: Server, peer: Server, poller: Any) -> None:
    peer.silent = True
    added.add(letter(1))
    until(poller, lambda: desk.count(Ticket) == 1)
    wake(peer)


def test_the_password_is_stored_sealed(desk: Desk, added: Server, settings: Settings) -> None:
    with desk.database.transaction() as s:
        stored = s.execute(text("SELECT CAST(m AS text) FROM mailbox m")).scalars().all()
    assert not any(PASSWORD in row or PASSWORD.encode().hex() in row for row in stored)
    assert mailboxes.account(box(desk), settings).password == PASSWORD


def test_a_password_sealed_by_another_desk_is_told_in_words(desk: Desk, added: Server, settings: Settings) -> None:
    (desk.folder / "secrets/secret_key").write_text("cd" * 32)
    with pytest.raises(MailboxFailure, match=rf"atum mailbox set {SALES} --password-stdin"):
        mailboxes.account(box(desk), settings)


def test_what_can_not_be_read_is_not_saved(desk: Desk, atum: Atum, second: Server) -> None:
    add = ("add", SALES, "--host", "127.0.0.1", "--port", str(second.port), "--no-tls")
    with pytest.raises(Invalid, match=r"Wrong password.*Nothing was saved"):
        atum(*add, password="wrong")
    with pytest.raises(Invalid, match="does not answer"):
        atum("add", SALES, "--host", "127.0.0.1", "--port", "1", "--no-tls")
    assert desk.mailbox().address == USER
    assert "is read from now on" in atum(*add, "--untested", password="wrong")


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("add", "sales", "--host", "h", "--untested"), "is not an e-mail address"),
        (("add", SALES, "--host", "h", "--untested", "--team", "nowhere"), "There is no team 'nowhere'"),
        (("add", "b@desk.example", "--host", "127.0.0.1", "--user", USER, "--untested"), "is already read, as support@"),
        (("remove", USER), "is named by the settings"),
        (("set", USER, "--password-stdin"), "is named by the settings"),
        (("set", USER), "Say what to change"),
        (("set", USER, "--processed-folder", "inbox"), "that folder is read"),
        (("set", USER, "--processed-folder", "a\r\nA1 DELETE INBOX"), "no control character"),
        (("pause", "nobody@desk.example"), "There is no mailbox nobody@desk.example"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(atum: Atum, words: tuple[str, ...], refusal: str) -> None:
    with pytest.raises(DeskError, match=refusal):
        atum(*words)


def test_an_empty_password_is_refused(atum: Atum) -> None:
    with pytest.raises(Invalid, match="needs a password"):
        atum("add", SALES, "--host", "h", "--untested", password="")


@pytest.mark.parametrize("day", ["2026-13-01", "yesterday"])
def test_a_day_that_is_none_is_wrong_usage(atum: Atum, day: str) -> None:
    with pytest.raises(SystemExit) as left:
        atum("add", SALES, "--host", "h", "--import-since", day)
    assert left.value.code == 2


def test_trying_tells_what_the_server_says(atum: Atum, added: Server) -> None:
    added.add(letter(1))
    assert atum("test", SALES) == f"{SALES}: signed in, opened INBOX; 1 unread."
    added.password = "another"
    with pytest.raises(Invalid, match=r"\[AUTHENTICATIONFAILED\] Wrong password"):
        atum("test", SALES)


def test_a_try_that_works_ends_the_wait_and_one_that_does_not_leaves_it(
    desk: Desk, added: Server, poller: Any, atum: Atum
) -> None:
    """The password was mended at the server, which nobody can tell the desk of but by this."""
    added.password = "another"
    until(poller, lambda: box(desk).failures > 0)
    later = datetime.now(UTC) + timedelta(hours=6)
    desk.pretend(failures=6, state=MailboxState.BLOCKED, next_try_at=later)
    with pytest.raises(Invalid):
        atum("test", SALES)
    assert (box(desk).next_try_at, box(desk).failures) == (later, 6)
    added.password = PASSWORD
    atum("test", SALES)
    assert box(desk).next_try_at is None
    until(poller, lambda: box(desk).state is MailboxState.OK and box(desk).last_ok_at)


def test_trying_and_saving_leave_no_trace_at_the_server(atum: Atum, added: Server) -> None:
    atum("test", SALES)
    assert not any(word in asked for asked in added.asked for word in ("STORE", "BODY[", "EXPUNGE", "MOVE"))


def test_a_paused_mailbox_is_left_in_peace_and_goes_on_where_it_was(
    desk: Desk, added: Server, poller: Any, atum: Atum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.entry.mail_poller.LOOK_AROUND", 0.0)
    added.add(letter(1))
    until(poller, lambda: desk.count(Ticket) == 1)
    atum("pause", SALES)
    until(poller, lambda: len(poller._mailboxes) == 1)
    added.add(letter(2))
    assert "paused" in atum("list")
    for _ in range(3):
        poller.once()
    assert desk.count(Ticket) == 1
    atum("resume", SALES)
    until(poller, lambda: desk.count(Ticket) == 2)


def test_a_new_password_is_tried_at_once(desk: Desk, added: Server, poller: Any, atum: Atum) -> None:
    added.password = "another"
    until(poller, lambda: box(desk).failures > 0)
    atum("set", SALES, "--password-stdin", password="another")
    assert box(desk).next_try_at is None
    until(poller, lambda: box(desk).state is MailboxState.OK and box(desk).last_ok_at)


def test_another_start_leaves_what_was_added_alone(desk: Desk, added: Server) -> None:
    desk.boot(IMAP_USER="other@desk.example")
    with desk.database.transaction() as s:
        assert {m.address for m in queries.in_use(s)} == {"other@desk.example", SALES}


def test_a_removed_mailbox_is_read_no_more_and_comes_back_where_it_was(desk: Desk, added: Server, atum: Atum) -> None:
    desk.pretend(last_uid=7, uidvalidity=1)
    atum("remove", SALES)
    assert SALES not in atum("list")
    with pytest.raises(NotFound):
        atum("test", SALES)
    atum("add", SALES, "--host", "127.0.0.1", "--port", str(added.port), "--no-tls")
    assert (box(desk).removed_at, box(desk).last_uid) == (None, 7)
    with pytest.raises(Conflict):
        atum("add", SALES, "--host", "127.0.0.1", "--port", str(added.port), "--no-tls")


def test_which_forwarders_are_believed_is_said_by_domain(atum: Atum, desk: Desk) -> None:
    assert "is changed" in atum("set", USER, "--forwarders", "Lists.Example.com", "--forwarders", "relay.example")
    assert desk.mailbox().forwarders == ["lists.example.com", "relay.example"]
    assert desk.mailbox().trusts == [], "to believe a seal is not to believe a line that anybody can write"
    atum("set", USER, "--forwarders", "")
    assert desk.mailbox().forwarders == []


def test_older_mail_is_taken_where_somebody_wants_it(desk: Desk, second: Server, atum: Atum, poller: Any) -> None:
    now = datetime.now(UTC)
    second.add(letter(1), at=now - timedelta(days=40))
    second.add(letter(2), at=now - timedelta(days=10), flags=r"\Seen")
    since = f"{now - timedelta(days=20):%Y-%m-%d}"
    said = atum("add", SALES, "--host", "127.0.0.1", "--port", str(second.port), "--no-tls", "--import-since", since)
    assert f"beginning with what came since {since}" in said
    until(poller, lambda: box(desk).last_uid == 2)
    until(poller, lambda: desk.count(Ticket) == 1)
    eventually(lambda: len(desk.ledger()) == 1)


def test_which_servers_are_trusted_is_said_by_name(atum: Atum, desk: Desk) -> None:
    assert "is changed" in atum("set", USER, "--trusts", "MX.Example.com ", "--trusts", "mx2.example.com")
    assert desk.mailbox().trusts == ["mx.example.com", "mx2.example.com"]
    with pytest.raises(Invalid, match="'mx example' is not a mail server's name"):
        atum("set", USER, "--trusts", "mx example")
    atum("set", USER, "--trusts", "")
    assert desk.mailbox().trusts == []


def test_which_field_says_who_wrote_is_chosen(atum: Atum, desk: Desk, second: Server) -> None:
    assert "is changed" in atum("set", USER, "--sender-from", "reply_to")
    assert desk.mailbox().sender_from is SenderFrom.REPLY_TO
    atum("add", SALES, "--host", "127.0.0.1", "--port", str(second.port), "--no-tls", "--sender-from", "reply_to")
    assert box(desk).sender_from is SenderFrom.REPLY_TO
    atum("set", SALES, "--sender-from", "from")
    assert box(desk).sender_from is SenderFrom.FROM


def test_whether_senders_hear_of_what_is_too_large_is_chosen(atum: Atum, desk: Desk) -> None:
    assert desk.mailbox().tells_too_large is False
    atum("set", USER, "--tell-too-large", "yes")
    assert desk.mailbox().tells_too_large is True
    atum("set", USER, "--priority", "low")
    assert desk.mailbox().tells_too_large is True
    atum("set", USER, "--tell-too-large", "no")
    assert desk.mailbox().tells_too_large is False


def test_what_becomes_of_mail_that_its_domain_disowns_is_chosen(atum: Atum, desk: Desk, second: Server) -> None:
    assert desk.mailbox().disowned is Disowned.QUARANTINE
    atum("set", USER, "--disowned", "flag")
    atum("set", USER, "--priority", "low")
    assert desk.mailbox().disowned is Disowned.FLAG
    atum("add", SALES, "--host", "127.0.0.1", "--port", str(second.port), "--no-tls", "--disowned", "accept")
    assert box(desk).disowned is Disowned.ACCEPT
    assert [one["disowned"] for one in atum("list", "--json")] == ["flag", "accept"]


def test_no_mailbox_reads_where_another_puts_what_it_took(atum: Atum, added: Server) -> None:
    atum("set", SALES, "--processed-folder", "Done")
    add = ("add", SALES, "--host", "127.0.0.1", "--port", str(added.port), "--no-tls")
    with pytest.raises(Invalid, match="can't be moved to Done, because that folder is read"):
        atum(*add, "--folder", "Done")
    atum("set", SALES, "--processed-folder", "")
    assert "is read from now on" in atum(*add, "--folder", "Done")
