"""A mailbox in which more mails lie than a line of IMAP or a statement of PostgreSQL can name."""

from datetime import UTC, datetime, timedelta

from app.intake import queries
from app.intake.models import Mailbox
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.mail.test_watch import letter

LONGEST = 8_192  # bytes of a command: RFC 7162 section 4


def test_no_command_is_longer_than_a_server_takes(desk: Desk, peer: Server) -> None:
    peer.uidnext = 4_000_000_000
    raw = letter(0)
    peer.add(*[raw] * 3_000, flags=r"\Seen")
    settings = desk.boot()
    with desk.watching(settings):
        eventually(lambda: desk.mailbox().last_ok_at)
    desk.pretend(created_at=datetime.now(UTC) - timedelta(hours=1))
    for stored in peer.mails.values():
        stored.raw = raw.replace(b"Subject:", b"Date: Mon, 06 Jan 2020 10:00:00 +0100\r\nSubject:", 1)
    peer.renumber()
    desk.watch(settings).turn()
    assert "3000 mails that are older than this mailbox look new" in str(desk.mailbox().reason)
    assert {verb for verb in ("INTERNALDATE", "HEADER.FIELDS") if any(verb in asked for asked in peer.asked)} == {
        "INTERNALDATE",
        "HEADER.FIELDS",
    }
    assert max(map(len, peer.asked)) < LONGEST


def test_what_the_ledger_lacks_is_found_among_a_hundred_thousand(desk: Desk) -> None:
    desk.boot()
    with desk.database.reading() as c:
        mailbox = Mailbox(id=desk.mailbox().id)
        uids = list(range(1, 100_001))
        assert queries.not_taken(c, mailbox, uids, uidvalidity=1) == uids
        assert queries.known_ids(c, mailbox, [f"<{uid}@acme.example>" for uid in uids]) == set()
        assert queries.not_taken(c, mailbox, [], uidvalidity=1) == []
