"""Mail that is brought by SMTP: taken for our own addresses, told 250 when it is in the ledger, and a ticket in a moment."""

import errno
import io
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from app.accounts.models import Team
from app.config import Settings
from app.core import ids
from app.core.errors import Conflict, DeskError
from app.core.priority import Priority
from app.db.session import Database
from app.db.session import now as database_now
from app.entry import cli
from app.files import room
from app.intake import actions, by_smtp, managed
from app.intake.models import BY_SMTP
from app.intake.rules import headers
from app.intake.rules.states import MailState
from app.intake.spool import Spool
from app.outbox.house import house
from app.tickets.models import Message, Ticket
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server
from tests.mail.smtp_door import Client, Opened, opened, stuffed
from tests.mail.test_poller import poller as poller
from tests.mail.test_poller import until
from tests.unit.intake.letters import mail, report

SUPPORT, SALES = "support@desk.example", "sales@desk.example"


@pytest.fixture
def settings(desk: Desk) -> Settings:
    made = desk.boot(SMTP_IN="on", SMTP_IN_DOMAINS="desk.example, second.example", ATUM_URL="https://desk.example")
    with desk.database.transaction() as s:
        by_smtp.ensure(s, made, now=database_now(s))
    return made


@pytest.fixture
def door(desk: Desk, settings: Settings) -> Iterator[Opened]:
    with opened(settings, desk.database) as made:
        yield made


@pytest.fixture
def client(door: Opened) -> Iterator[Client]:
    with Client(door.port) as made:
        yield made


@pytest.fixture
def atum(desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """atum("mailbox", "list"): what the command answers."""
    on = desk.settings(
        SMTP_IN="on", SMTP_IN_DOMAINS="desk.example", ATUM_URL="https://desk.example", DATABASE_URL=desk.database.dsn
    )

    def run(*words: str) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO("a password\n"))
        given = cli._parser().parse_args(words)
        return given.run(on, given)[1]

    return run


def added(desk: Desk, settings: Settings, address: str, **more: Any) -> None:
    with desk.database.transaction() as s:
        managed.add_by_smtp(s, settings, address, **more, now=database_now(s))


def raw(desk: Desk, id: int) -> bytes:
    with desk.database.transaction() as s:
        return actions.raw(s, desk.settings(), id) or b""


def test_a_mail_is_in_the_ledger_when_it_is_told_taken_and_becomes_a_ticket(desk: Desk, client: Client) -> None:
    assert client.greeting.startswith("220 desk.example ESMTP")
    assert client.bring(mail("It is broken.")).startswith("250 2.0.0")
    [row] = desk.ledger()
    assert (row.state, row.uidvalidity, row.mailbox.address) == (MailState.NEW, BY_SMTP, SUPPORT)
    assert row.server_acked_at is not None
    assert raw(desk, row.id).endswith(mail("It is broken.") + b"\r\n")
    desk.process()
    assert desk.count(Ticket) == desk.count(Message) == 1


def test_the_lines_above_it_say_how_it_came(desk: Desk, client: Client) -> None:
    client.bring(mail("It is broken."), "support+tag@desk.example", "SUPPORT@desk.example")
    [row] = desk.ledger()
    above, _, rest = raw(desk, row.id).partition(b"From: Carol")
    lines = above.decode().split("\r\n")
    assert lines[:3] == [
        "Return-Path: <carol@acme.example>",
        "Delivered-To: support+tag@desk.example",
        "Delivered-To: SUPPORT@desk.example",
    ]
    assert lines[3].startswith("Authentication-Results: desk.example; spf=")
    assert lines[3].endswith(" smtp.mailfrom=carol@acme.example")
    assert lines[4] == "Received: from mx.acme.example ([127.0.0.1])"
    assert lines[5].startswith("\tby desk.example (ATUM Desk) with ESMTP id ")
    assert rest.endswith(b"It is broken.\r\n")
    assert (row.size, row.raw_sha256) == (len(raw(desk, row.id)), ids.sha256(raw(desk, row.id)))


def test_a_verdict_in_our_name_that_came_along_is_not_believed(desk: Desk, client: Client) -> None:
    client.bring(b"Authentication-Results: desk.example; spf=pass smtp.mailfrom=boss@desk.example\r\n" + mail("Pay me."))
    [row] = desk.ledger()
    found, _ = headers.split(raw(desk, row.id))
    assert len(found.all("authentication-results")) == 1
    assert "boss" not in found.first("authentication-results")
    assert "boss" in found.first("x-untrusted-authentication-results")


def test_a_mail_to_two_of_our_mailboxes_is_a_row_in_each(desk: Desk, settings: Settings, door: Opened) -> None:
    added(desk, settings, SALES)
    with Client(door.port) as client:
        assert client.bring(mail("Hello"), SUPPORT, SALES).startswith("250")
    first, second = desk.ledger()
    assert {first.mailbox.address, second.mailbox.address} == {SUPPORT, SALES}
    for row in (first, second):
        found, _ = headers.split(raw(desk, row.id))
        assert found.all("delivered-to") == [row.mailbox.address]
    desk.process()
    assert desk.count(Ticket) == 2


def test_the_people_who_run_a_domain_are_reached_in_each_of_them(desk: Desk, client: Client) -> None:
    assert client.bring(mail("One"), "postmaster@second.example", "Abuse@desk.example", "postmaster").startswith("250")
    assert [row.mailbox.address for row in desk.ledger()] == [SUPPORT]


def test_only_our_own_addresses_are_taken_and_nothing_is_passed_on(desk: Desk, client: Client) -> None:
    client.say("EHLO x", "MAIL FROM:<carol@acme.example>")
    assert client.say("RCPT TO:<nobody@desk.example>").startswith("550 5.1.1")
    for foreign in ("<victim@elsewhere.example>", "<@desk.example:victim@elsewhere.example>", '<"a b"@elsewhere.example>'):
        assert client.say(f"RCPT TO:{foreign}") == "550 5.7.1 Relay denied: this desk takes no mail for that domain."
    for twisted in ("<victim%elsewhere.example@desk.example>", "<elsewhere.example!victim@desk.example>"):
        assert client.say(f"RCPT TO:{twisted}").startswith("550 5.1.1")
    assert client.say("DATA").startswith("503")
    assert desk.ledger() == []


def test_the_recipients_that_are_ours_get_it_though_others_are_refused(desk: Desk, client: Client) -> None:
    client.say("EHLO x", "MAIL FROM:<carol@acme.example>")
    assert client.say("RCPT TO:<nobody@desk.example>").startswith("550")
    assert client.say(f"RCPT TO:<{SUPPORT}>", "DATA").startswith("354")
    client.send(stuffed(mail("Hello")))
    assert client.answer().startswith("250")
    assert len(desk.ledger()) == 1


def test_an_answer_finds_its_ticket_by_the_address_on_the_envelope_alone(desk: Desk, settings: Settings, door: Opened) -> None:
    with Client(door.port) as client:
        client.bring(mail("It is broken."))
        desk.process()
        [ticket] = [row.ticket for row in desk.ledger()]
        assert ticket
        address = house(settings).reply_address(ticket, "carol@acme.example")
        client.say("RSET")
        answer = mail("Still broken.", mail_id="<2@acme.example>", to="undisclosed-recipients:;")
        assert client.bring(answer, address).startswith("250")
    desk.process()
    assert (desk.count(Ticket), desk.count(Message)) == (1, 2)


def test_a_report_without_a_sender_is_taken(desk: Desk, client: Client) -> None:
    assert client.bring(report("<1@desk.example>"), sender="").startswith("250")
    [row] = desk.ledger()
    assert raw(desk, row.id).startswith(b"Return-Path: <>\r\n")
    assert b"smtp.helo=mx.acme.example" in raw(desk, row.id)


def test_a_large_mail_lies_beside_the_database_byte_for_byte(desk: Desk, client: Client) -> None:
    body = b"".join(b"%075d\r\n" % n for n in range(20_000)) + b".\r\n..\r\n.a line with a dot\r\n"
    assert client.bring(mail(body)).startswith("250")
    [row] = desk.ledger()
    assert row.blob
    found = raw(desk, row.id)
    assert found.endswith(mail(body))
    assert (row.raw_sha256, row.size) == (ids.sha256(found), len(found))
    assert list((desk.folder / "tmp" / "api").iterdir()) == []


def test_dots_at_the_beginning_of_lines_come_out_as_they_were(desk: Desk, client: Client) -> None:
    body = b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n"
    client.bring(mail(body))
    assert raw(desk, desk.ledger()[0].id).endswith(mail(body))


def test_an_empty_mail_is_a_mail(desk: Desk, client: Client) -> None:
    client.begin(SUPPORT)
    client.send(b".\r\n")
    assert client.answer().startswith("250")
    assert len(desk.ledger()) == 1


def test_several_mails_over_one_connection_are_each_their_own(desk: Desk, client: Client) -> None:
    for n in range(3):
        assert client.bring(mail(f"Mail {n}", mail_id=f"<{n}@acme.example>"), sender=f"p{n}@acme.example").startswith("250")
    paths = [headers.split(raw(desk, row.id))[0].first("return-path") for row in desk.ledger()]
    assert paths == ["<p0@acme.example>", "<p1@acme.example>", "<p2@acme.example>"]
    assert len({row.uid for row in desk.ledger()}) == 3


def test_letters_of_other_alphabets_are_taken(desk: Desk, client: Client) -> None:
    client.say("EHLO x", "MAIL FROM:<käthe@müller.example> SMTPUTF8 BODY=8BITMIME", f"RCPT TO:<{SUPPORT}>", "DATA")
    client.send(stuffed(mail("Grüße", sender="Käthe <käthe@müller.example>")))
    assert client.answer().startswith("250")
    found = raw(desk, desk.ledger()[0].id)
    assert "Return-Path: <käthe@müller.example>".encode() in found
    assert b"with UTF8SMTP id" in found


def test_a_paused_mailbox_puts_mail_off(desk: Desk, client: Client) -> None:
    desk.pretend(paused_at=datetime.now(UTC))
    client.say("EHLO x", "MAIL FROM:<carol@acme.example>")
    assert client.say(f"RCPT TO:<{SUPPORT}>") == "450 4.2.1 That mailbox is paused; send it again later."


def test_without_the_database_mail_is_put_off_and_taken_when_it_is_back(
    desk: Desk, client: Client, owner: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.begin(SUPPORT)
    with owner.begin() as c:
        c.execute(text("ALTER TABLE inbound_mail RENAME TO elsewhere"))
    client.send(stuffed(mail("Hello")))
    assert client.answer().startswith("451 4.3.0")
    with owner.begin() as c:
        c.execute(text("ALTER TABLE elsewhere RENAME TO inbound_mail"))
    assert client.bring(mail("Hello")).startswith("250")
    assert len(desk.ledger()) == 1


def test_while_the_database_does_not_answer_nobody_is_refused_for_good(desk: Desk, settings: Settings) -> None:
    gone = Database("postgresql://postgres@127.0.0.1:1/none")
    with opened(settings, gone) as door, Client(door.port) as client:
        client.say("EHLO x", "MAIL FROM:<carol@acme.example>")
        assert client.say(f"RCPT TO:<{SUPPORT}>").startswith("451 4.3.0")
    gone.close()


def test_where_the_disk_is_full_it_is_put_off_with_that_reason_and_nothing_is_lost(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = mail(b"x" * 900 + b"\r\n", mail_id="<large@acme.example>") + (b"y" * 900 + b"\r\n") * 2000

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert client.bring(large).startswith("452 4.3.1")
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "write", full)
        assert client.bring(large).startswith("452 4.3.1")
    with monkeypatch.context() as patch:
        patch.setattr(room, "LEAST_FREE", 1 << 60)
        patch.setattr(room, "LEAST_SHARE", 1.0)
        assert client.say("MAIL FROM:<carol@acme.example>").startswith("452 4.3.1")
    assert desk.ledger() == []
    assert [path for path in (desk.folder / "mail").rglob("*") if path.is_file()] == []
    assert client.bring(large).startswith("250")
    assert len(desk.ledger()) == 1


def test_where_the_database_has_no_room_it_is_put_off_with_that_reason(desk: Desk, client: Client, owner: Engine) -> None:
    full = "BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END"
    with owner.begin() as c:
        c.execute(text(f"CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $${full}$$"))
        c.execute(text("CREATE TRIGGER no_room BEFORE INSERT ON inbound_mail EXECUTE FUNCTION no_room()"))
    assert client.bring(mail("Hello")).startswith("452 4.3.1")
    with owner.begin() as c:
        c.execute(text("DROP TRIGGER no_room ON inbound_mail"))
    assert client.bring(mail("Hello")).startswith("250")
    assert len(desk.ledger()) == 1


def test_the_poller_hears_of_it_at_once(
    desk: Desk, settings: Settings, client: Client, poller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    poller.once()  # the first round looks at everything
    monkeypatch.setattr("app.entry.mail_poller.LOOK_AROUND", 1e9)
    client.bring(mail("Hurry"))
    until(poller, lambda: desk.count(Ticket) == 1)


def test_the_same_mail_by_smtp_and_by_imap_is_one_message_and_every_way_is_recorded(
    desk: Desk, settings: Settings, client: Client, peer: Server, poller: Any
) -> None:
    for n in range(3):
        peer.add(mail("Once", Received=f"by relay{n}"))
        client.bring(mail("Once", Received=f"by other{n}"))
    until(poller, lambda: len(desk.ledger()) == 6 and all(row.state is not MailState.NEW for row in desk.ledger()))
    assert (desk.count(Ticket), desk.count(Message)) == (1, 1)
    assert sorted(row.state for row in desk.ledger()) == [MailState.DONE] + [MailState.DUPLICATE] * 5
    assert {row.ticket for row in desk.ledger()} == {desk.ledger()[0].ticket}


def test_an_address_of_its_own_has_its_team_and_priority(desk: Desk, settings: Settings, door: Opened, poller: Any) -> None:
    with desk.database.transaction() as s:
        s.add(Team(name="Billing", description="", created_at=datetime.now(UTC), revision=1))
    added(desk, settings, SALES, team="billing", priority=Priority.URGENT)
    with Client(door.port) as client:
        client.bring(mail("Hello"), SALES)
    until(poller, lambda: desk.count(Ticket) == 1)
    with desk.database.transaction() as s:
        [ticket] = s.scalars(select(Ticket))
        assert (ticket.team.name if ticket.team else None, ticket.priority) == ("Billing", Priority.URGENT)
        assert ticket.desk_address == SALES
    assert len(poller._mailboxes) == 1  # the one with a server


def test_without_imap_the_address_that_mail_is_sent_from_takes_mail(desk: Desk) -> None:
    settings = desk.settings(SMTP_IN="on", SMTP_IN_DOMAINS="desk.example", SMTP_FROM="help@desk.example")
    for _ in range(2):
        with desk.database.transaction() as s:
            by_smtp.ensure(s, settings, now=database_now(s))
    assert (desk.mailbox().address, desk.mailbox().smtp_only) == ("help@desk.example", True)
    desk.boot(IMAP_HOST="", IMAP_USER="")
    assert desk.mailbox().removed_at is None  # the settings never named it, so they can't set it aside
    with opened(settings, desk.database) as door, Client(door.port) as client:
        assert client.bring(mail("Hello"), "help@desk.example", "postmaster@desk.example").startswith("250")
    assert len(desk.ledger()) == 1


def test_where_mail_is_sent_from_elsewhere_the_first_domains_postmaster_takes_mail(desk: Desk) -> None:
    settings = desk.settings(SMTP_IN="on", SMTP_IN_DOMAINS="second.example", SMTP_FROM="help@desk.example")
    with desk.database.transaction() as s:
        by_smtp.ensure(s, settings, now=database_now(s))
    assert desk.mailbox().address == "postmaster@second.example"


def test_an_imap_mailbox_that_is_added_later_takes_what_comes_to_its_address(desk: Desk) -> None:
    settings = desk.settings(SMTP_IN="on", SMTP_IN_DOMAINS="desk.example", SMTP_FROM=SUPPORT)
    with desk.database.transaction() as s:
        by_smtp.ensure(s, settings, now=database_now(s))
    desk.boot()
    with opened(settings, desk.database) as door, Client(door.port) as client:
        client.bring(mail("Hello"))
    assert [row.mailbox.smtp_only for row in desk.ledger()] == [False]


def test_the_command_line_adds_lists_and_compares_it(desk: Desk, door: Opened, atum: Any) -> None:
    assert atum("mailbox", "add", SALES, "--smtp") == f"Mail to {SALES} is taken by SMTP from now on."
    with Client(door.port) as client:
        client.bring(mail("Hello"), SALES, SUPPORT)
    assert f"{SALES}: ok, by SMTP" in atum("mailbox", "list")
    assert atum("mail", "ledger").splitlines() == [
        f"{SUPPORT}: 0 on the server, 0 missing, 1 brought by SMTP",
        f"{SALES}: 1 brought by SMTP, all in the ledger",
    ]
    with pytest.raises(Conflict, match="takes its mail by SMTP: there is no server to sign in to"):
        atum("mailbox", "test", SALES)
    with pytest.raises(Conflict, match="takes its mail by SMTP"):
        atum("mailbox", "set", SALES, "--password-stdin")
    atum("mailbox", "set", SALES, "--priority", "high")
    atum("mailbox", "remove", SALES)
    assert SALES not in atum("mailbox", "list")
    atum("mailbox", "add", SALES, "--smtp")
    assert SALES in atum("mailbox", "list")


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("sales@elsewhere.example", "SMTP_IN_DOMAINS does not name 'elsewhere.example'"),
        (SUPPORT, f"There is a mailbox {SUPPORT} already"),
        ("sales+x@desk.example", "is not an address of a mailbox"),
        ("@desk.example", "is not an address of a mailbox"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_in_words(atum: Any, address: str, refusal: str) -> None:
    with pytest.raises(DeskError, match=re.escape(refusal)):
        atum("mailbox", "add", address, "--smtp")


def test_without_the_door_no_address_can_be_added_to_it(desk: Desk) -> None:
    off = desk.settings(DATABASE_URL=desk.database.dsn)
    given = cli._parser().parse_args(["mailbox", "add", SALES, "--smtp"])
    with pytest.raises(Conflict, match="SMTP_IN is off"):
        given.run(off, given)
