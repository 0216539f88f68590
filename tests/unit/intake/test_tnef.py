"""winmail.dat."""

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import read, tnef
from app.intake.rules.mail import Found, Mail
from tests.unit.intake.letters import multipart, part

MESSAGE_ID = bytes.fromhex("0703020000000000c000000000000046")
WIDE, BINARY, OBJECT, NUMBER = 0x1F, 0x102, 0xD, 3
Attribute = tuple[int, int, bytes]  # level, name and type, bytes


def packed(*attributes: Attribute) -> bytes:
    head = tnef.SIGNATURE + b"\1\0"
    return head + b"".join(struct.pack("<BII", level, name, len(data)) + data + b"\0\0" for level, name, data in attributes)


def properties(*given: tuple[int, int, bytes]) -> bytes:
    """(number, type, value) each."""
    out = struct.pack("<I", len(given))
    for number, kind, value in given:
        out += struct.pack("<HH", kind, number)
        out += value if kind == NUMBER else struct.pack("<II", 1, len(value)) + value + b"\0" * (-len(value) % 4)
    return out


def body(*given: tuple[int, int, bytes]) -> Attribute:
    return 1, 0x69003, properties(*given)


def file(*given: tuple[int, int, bytes], title: str = "", data: bytes | None = None) -> tuple[Attribute, ...]:
    plain = [(2, 0x18010, title.encode() + b"\0")] if title else []
    plain += [(2, 0x6800F, data)] if data is not None else []
    return (2, 0x69002, b""), *plain, (2, 0x69005, properties(*given))


def wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def opened(raw: bytes, text: str = "") -> tuple[Mail, list[Found]]:
    found, files = read.mail(multipart(part(text), part(raw, 'application/ms-tnef; name="winmail.dat"')))
    return found, list(files)


HTML = body((0x3FDE, NUMBER, struct.pack("<I", 1251)), (0x1013, BINARY, "<p>Привет</p>".encode("cp1251")))


def test_its_files_come_beside_the_original() -> None:
    raw = packed(
        *file((0x3707, WIDE, wide("Überblick.pdf")), title="UBERBL~1.PDF", data=b"pdf\0\0"), *file(title="b.txt", data=b"b")
    )
    found, files = opened(raw, "See.")
    assert found.text == "See."
    assert [(f.name, f.content) for f in files] == [("winmail.dat", raw), ("Überblick.pdf", b"pdf\0\0"), ("b.txt", b"b")]


def test_its_html_stands_in_where_the_mail_has_no_text() -> None:
    assert opened(packed(HTML))[0].html == "<p>Привет</p>"
    assert opened(packed(HTML))[0].text == "Привет"


def test_its_text_is_not_said_twice_where_the_mail_has_one() -> None:
    found, _ = opened(packed(HTML), "Hello")
    assert (found.text, found.html) == ("Hello", None)


def test_its_plain_text_stands_in_too() -> None:
    assert opened(packed((1, 0x2800C, b"Hello\0")))[0].text == "Hello"
    assert opened(packed(body((0x1000, WIDE, wide("Grüße")))))[0].text == "Grüße"


def test_a_picture_that_its_html_shows_is_inline() -> None:
    page = body((0x1013, BINARY, b'<img src="cid:one@x">'))
    picture = file((0x3712, WIDE, wide("one@x")), (0x370E, WIDE, wide("image/png")), title="a.png", data=b"\x89PNG\r\n\x1a\n")
    [_, shown] = opened(packed(page, *picture))[1]
    assert (shown.content_id, shown.media_type, shown.inline) == ("one@x", "image/png", True)


def test_a_message_within_it_is_its_text_and_its_files() -> None:
    inner = packed(body((0x37, WIDE, wide("Inner")), (0x1000, WIDE, wide("Words"))), *file(title="c.txt", data=b"c"))
    _, files = opened(packed(*file((0x3701, OBJECT, MESSAGE_ID + inner), title="Inner")))
    assert [(f.name, f.content) for f in files[1:]] == [("Inner.txt", b"Words"), ("c.txt", b"c")]


def test_it_is_known_by_its_name_too() -> None:
    raw = packed(*file(title="b.txt", data=b"b"))
    _, files = read.mail(multipart(part(raw, "application/octet-stream", Content_Disposition="attachment; filename=WINMAIL.DAT")))
    assert [f.name for f in files] == ["WINMAIL.DAT", "b.txt"]


def test_what_is_no_tnef_is_a_file() -> None:
    assert [f.name for f in opened(b"nonsense")[1]] == ["winmail.dat"]


def test_messages_within_messages_end_at_a_depth() -> None:
    raw = packed(*file(title="bottom.txt", data=b"x"))
    for _ in range(50):
        raw = packed(*file((0x3701, OBJECT, MESSAGE_ID + raw), title="Inner"))
    assert len(opened(raw)[1]) == 2


def rich(kind: bytes) -> bytes:
    return struct.pack("<II4sI", 1, 0xFFFFFFFF, kind, 0)


HOSTILE = {
    "attributes": packed(*[(1, 0, b"")] * 300_000),
    "files": packed(*[(2, 0x69002, b"")] * 300_000),
    "properties": packed((1, 0x69003, struct.pack("<I", 0xFFFFFFFF) + struct.pack("<HHI", NUMBER, 1, 1) * 300_000)),
    "values": packed((1, 0x69003, struct.pack("<IHHI", 0xFFFFFFFF, 0x101F, 1, 0xFFFFFFFF) + bytes(4_000_000))),
    "rich text": packed(body((0x1009, BINARY, rich(b"LZFu") + b"\xff" + b"\x0d\x0f" * 1_000_000))),
    "literals": packed(body((0x1009, BINARY, rich(b"LZFu") + b"\0{{{{{{{{" * 400_000))),
    "braces": packed(body((0x1009, BINARY, rich(b"MELA") + b"{" * 3_000_000))),
    "words": packed(body((0x1009, BINARY, rich(b"MELA") + b"\\f1\\'e9" * 500_000))),
    "skipped": packed(body((0x1009, BINARY, rich(b"MELA") + b"\\bin1 a" * 500_000))),
}


@pytest.mark.parametrize("evil", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_one_is_read_within_two_seconds_and_kept(evil: bytes) -> None:
    began = time.process_time()
    _, files = opened(evil)
    assert time.process_time() - began < 2
    assert files[0].content == evil
    assert len(files) <= tnef.MOST_FILES + 1


@given(st.integers(0, 400), st.binary(max_size=40), st.booleans())
def test_damage_never_makes_it_raise(at: int, junk: bytes, cut: bool) -> None:
    whole = packed(
        (1, 0x69007, b"\xe4\4\0\0"), HTML, *file((0x3707, WIDE, wide("a")), (0x3701, BINARY, b"x"), title="a", data=b"b")
    )
    tnef.unpacked(whole[:at] + junk + (b"" if cut else whole[at:]))
