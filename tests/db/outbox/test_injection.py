"""What strangers write never becomes a header, a recipient or a mail of its own: seen from the server that takes the mail."""

import re
from itertools import product

import psycopg
import pytest

from app.core import text
from app.db.session import now as time_of
from app.files import actions as files
from app.outbox.models import Kind
from app.outbox.smtp import Line
from tests.db.outbox.conftest import Outbox
from tests.db.outbox.sink import Sink

pytestmark = pytest.mark.db
EVIL = "mallory@evil.example"
BREAKS = ["\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r\n ", "\r\n\t"]
SNEAKS = [
    *(f"Hello{end}Bcc: {EVIL}" for end in BREAKS),
    f"Hello\r\n\r\n.\r\nMAIL FROM:<{EVIL}>\r\nRCPT TO:<{EVIL}>\r\nDATA\r\nSubject: two\r\n\r\nx\r\n.\r\n",
    f'Bob" <{EVIL}>, "a',
    f"Bob (a comment\r\n that is folded, <{EVIL}>)",
    f"=?utf-8?q?=0D=0ABcc:_{EVIL}?=",
    f"=?utf-8?b?DQpCY2M6IG1hbGxvcnlAZXZpbC5leGFtcGxl?= <{EVIL}>",
    f"a;b,c:d <{EVIL}> é",
    "name.txt\r\nContent-Type: text/html",
    "a\"; filename*=utf-8''evil.exe; x=\"b",
    "x" * 2000,
    "é" * 2000,
    " ",
    "",
]
FIELDS = ["subject", "to_name", "from_name", "text", "in_reply_to", "references", "file"]
EXPECTED = {
    "from", "to", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "thread-topic", "thread-index",
    "mime-version", "content-type",
}  # fmt: skip


def put(outbox: Outbox, key: str, field: str, sneak: str, message: int) -> None:
    """A letter with this in one of its fields."""
    different: dict[str, object] = {"subject": key, "message_id": message, "ticket": message}
    if field == "file":
        kept = files.keep(outbox.blobs, name=sneak, content=b"x")
        with outbox.database.transaction() as s:
            files.attach(s, [kept], message_id=message, now=time_of(s))
    else:
        different[field] = (f"<{sneak}@x>", sneak) if field == "references" else sneak
    assert outbox.put(key, **different)


def test_the_server_gets_one_mail_to_one_recipient_with_the_headers_of_ours_alone(outbox: Outbox, sink: Sink) -> None:
    tried = [(field, sneak.replace("\0", "")) for field, sneak in product(FIELDS, SNEAKS)]
    for n, (field, sneak) in enumerate(tried):
        put(outbox, f"letter {n}", field, sneak, message=100 + n)
    assert outbox.process(sink.account()) == len(tried)
    assert len(sink.taken) == len(tried)
    for one, (field, sneak) in zip(sink.taken, tried, strict=True):
        assert one.recipient == "carol@acme.example"
        names = [name.lower() for name, _ in one.message.raw_items()]
        assert len(names) == len(set(names)), (field, sneak)
        assert set(names) <= EXPECTED, (field, sneak)
        assert [to.addr_spec for to in one.message["To"].addresses] == ["carol@acme.example"], (field, sneak)
        assert [who.addr_spec for who in one.message["From"].addresses] == ["support@desk.example"], (field, sneak)
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", one.raw), (field, sneak)
        for part in one.message.walk():
            known = {"content-type", "content-transfer-encoding", "content-disposition", "mime-version"}
            assert part is one.message or {name.lower() for name, _ in part.raw_items()} <= known, (field, sneak)
        files_of_it = [(file.get_filename(), file.get_payload(decode=True)) for file in one.message.iter_attachments()]
        assert files_of_it == ([(text.file_name(sneak), b"x")] if field == "file" else []), (field, sneak)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_nul_never_gets_so_far(outbox: Outbox, sink: Sink, kind: Kind) -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        outbox.put(kind=kind, subject="a\0b")
    assert outbox.process(sink.account()) == 0


@pytest.mark.parametrize("address", [f"carol@x.example>\r\nRCPT TO:<{EVIL}", "carol@x.example\nRSET", "a\rb@x.example"])
def test_the_smtp_client_itself_takes_no_address_with_a_line_in_it(sink: Sink, address: str) -> None:
    line = Line(sink.account(), connecting=2.0, accepting=2.0)
    with pytest.raises(ValueError, match="newline"):
        line.deliver(("support@desk.example",), address, b"x\r\n")
    with pytest.raises(ValueError, match="newline"):
        line.deliver((address,), "carol@acme.example", b"x\r\n")
    line.close()
    assert sink.taken == []
