"""Files written into a text as letters."""

import binascii
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import inside, read
from tests.unit.intake.letters import mail


def uuencoded(content: bytes, name: str = "a.bin") -> bytes:
    lines = [binascii.b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45)]
    return b"begin 644 %s\n%s`\nend\n" % (name.encode(), b"".join(lines))


def yencoded(content: bytes, name: str = "a.bin", part: str = "") -> bytes:
    shifted = ((n + 42) % 256 for n in content)
    written = b"".join(b"=" + bytes([(n + 64) % 256]) if n in b"\0\n\r=" else bytes([n]) for n in shifted)
    lines = b"".join(written[at : at + 128] + b"\r\n" for at in range(0, len(written), 128)) if b"=" not in written else written
    return b"=ybegin line=128 size=%d name=%s\r\n%s%s\r\n=yend size=1\r\n" % (len(content), name.encode(), part.encode(), lines)


def test_uuencoded_files_are_taken_out_of_the_text() -> None:
    found, files = read.mail(mail(b"See:\n" + uuencoded(b"Hello" * 30, "hello world.txt") + b"and\n" + uuencoded(b"x") + b"Bye"))
    assert found.text == "See:\nand\nBye"
    assert [(f.name, f.content) for f in files] == [("hello world.txt", b"Hello" * 30), ("a.bin", b"x")]


def test_yencoded_files_are_taken_out_of_the_text() -> None:
    content = bytes(range(256))
    found, files = read.mail(mail(b"See:\r\n" + yencoded(content, "picture one.jpg") + b"Bye"))
    assert found.text == "See:\nBye"
    assert [(f.name, f.content) for f in files] == [("picture one.jpg", content)]


def test_a_piece_of_a_yencoded_file_is_what_is_there() -> None:
    _, files = read.mail(mail(yencoded(b"half", part="=ypart begin=1 end=4\r\n")))
    assert [f.content for f in files] == [b"half"]


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 words with nothing after them",
        "begin 644 a\nThis is what people write, and it goes on for quite a while as a sentence does.\nend\n",
        "begin 644 a\n%2&5L;&\\\nno end",
        "we begin 644 a\n%2&5L;&\\\nend",
        "=ybegin line=128 size=5 name=a\nno end",
    ],
)
def test_what_only_looks_like_a_file_stays_text(text: str) -> None:
    assert inside.taken_out(text.encode()) == (text.encode(), [])


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_come_out_as_they_went_in(content: bytes) -> None:
    assert [f.content for f in inside.taken_out(uuencoded(content) + yencoded(content))[1]] == [content, content]


def test_damaged_lines_cost_only_themselves() -> None:
    raw = uuencoded(b"A" * 45 + b"B" * 45).replace(binascii.b2a_uu(b"B" * 45), b"M\x80\x80\n")
    assert inside.taken_out(raw)[1][0].content.startswith(b"A" * 45)


@pytest.mark.parametrize(
    "evil",
    [
        b"begin 644 a\n" * 80_000,
        b"begin 644 a\n!\n" * 70_000,
        b"=ybegin name=a\n" * 70_000,
        b"begin 644 a\n`\nend\n" * 50_000,
        b"=ybegin " + b"name=" * 200_000,
        b"begin 644 a\n" + b"=" * 1_000_000 + b"\nend\n",
    ],
)
def test_a_megabyte_of_beginnings_takes_less_than_a_second(evil: bytes) -> None:
    began = time.process_time()
    inside.taken_out(evil)
    assert time.process_time() - began < 1
