"""A26: 64 KB of evil text at every pattern that incoming mail meets, each in less than 100 ms of computing.

A machine that shares its processor takes longer over anything: there it is the growth that tells, four times the text in no more
than eight times the time.
"""

from collections.abc import Callable

import pytest

from app.core import text
from app.intake.rules import addresses, automatic, body, calendar, charset, enriched, files, headers, inside, parts, read, rtf
from app.intake.rules.headers import Headers
from tests.cpu import least

SIZE = 65_536
BITS = (
    "a", " ", "\t", "\n", "\r\n", "\r", "\0", "é", "(", ")", '"', "'", "\\", '\\"', "<", ">", "<<", "</", "{", "}", ";", ":",
    ",", ".", "=", "@", "-", "--", "- ", "*", "?", "=?", "?=", "=?utf-8?q?", "=?utf-8?q?a?= ", "=?a?b?=", "a=", "a*0*=",
    "a;b=", "a@b.c,", "<a@b> ", "a@", "/", "a/b", "a/b ", "%41", "&#64;", "> ", ">> \n", "a \n", "-- \n", "begin 644 a\n",
    "end\n", "=ybegin name=", "=yend\n", "src=", "src =  ", 'src="', "background='", "url(", "url(  ", "cid:", " via ", "via",
    "noreply.", "no-reply", "do.not", "BEGIN:VTIMEZONE\n", "END:VTIMEZONE\n", "<a>", "<param>", "<nofill>", "<!--",
    "<meta charset", "<?xml encoding=", "--x\r\n", "--x--\r\n", "Subject: a\r\n", "From ", "\\u5?", "\\'e9", "\\bin1", "\\f1",
    "\\*\\a", "Re: ", "[#", "x@" * 8 + "\n", "\u202e", "=\r\n", "Message-ID: <", "auto-", "out of office ",
)  # fmt: skip

READERS: dict[str, Callable[[str], object]] = {
    "a mail": lambda evil: read._sender(Headers([("from", evil.encode())])),
    "a header": lambda evil: headers.split(evil.encode()),
    "a field over many lines": lambda evil: headers.split(b"X: " + evil.replace("\n", "\n ").encode()),
    "encoded words": headers.words,
    "parameters": headers.parameters,
    "base64": lambda evil: headers.base64(evil.encode()),
    "addresses": addresses.addresses,
    "Message-IDs": addresses.mail_ids,
    "one Message-ID": addresses.first_mail_id,
    "parts": lambda evil: parts.tree(b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + evil.encode()),
    "parts without a boundary": lambda evil: parts.tree(b"Content-Type: multipart/mixed\r\n\r\n" + evil.encode()),
    "a type": lambda evil: parts.tree(b"Content-Type: " + evil.replace("\n", "").encode() + b"\r\n\r\n"),
    "flowed text": lambda evil: body.unflowed(evil, delsp=True),
    "a charset's name": charset.codec,
    "a page's charset": lambda evil: charset._written_inside(evil.encode()),
    "a page's references": files._references,
    "files within a text": lambda evil: inside.taken_out(evil.encode()),
    "enriched text": lambda evil: enriched.plain(evil, richtext=False),
    "rich text": lambda evil: rtf.read(evil.encode()),
    "zones": calendar._without_zones,
    "who sent it automatically": lambda evil: automatic.why(
        Headers([(name, evil.encode()) for name in ("auto-submitted", "precedence", "subject", "from", "x-autoreply")]),
        sender=evil, subject=evil, media_type=evil,
    ),
    "one line": text.one_line,
    "a file's name": text.file_name,
    "an address": text.address,
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_64_kb_of_anything_takes_less_than_100_ms(reader: Callable[[str], object]) -> None:
    slow = {}
    for bit in BITS:
        evil = (bit * (SIZE // len(bit.encode()) + 1))[:SIZE]
        for given in (evil, "x" + evil[:-2] + "x"):
            spent = _spent(reader, given)
            if spent > 0.1 and (spent > 1 or spent > 8 * _spent(reader, given[: SIZE // 4 - 1] + given[-1])):
                slow[bit] = spent
    assert slow == {}


def _spent(reader: Callable[[str], object], given: str) -> float:
    return least(lambda: reader(given))
