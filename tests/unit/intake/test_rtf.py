"""Rich text as text."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import rtf


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb"{\rtf1\ansi Hello\par World}", "Hello\nWorld"),
        (rb"{\rtf1{\fonttbl{\f0 Arial;}}{\colortbl;\red0;}{\*\generator Riched;}Hello}", "Hello"),
        (rb"{\rtf1\ansicpg1251 \'cf\'f0\'e8}", "При"),
        (rb"{\rtf1\ansicpg1252{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f0\'e9{\f1\'cf\'f0}\'e9}", "éПрé"),
        (rb"{\rtf1\uc1\u1055?\u-3913?x}", "П\uf0b7x"),
        (rb"{\rtf1\uc0\u1055 x}", "Пx"),
        (rb"{\rtf1\u-10179?\u-8704?}", "\U0001f600"),
        (rb"{\rtf1 a\~b\{c\}\\\emdash d\tab e\line f}", "a\xa0b{c}\\\u2014d\te\nf"),
        (rb"{\rtf1 a{\pict\bin5 }}}}}b}c}", "ac"),
        (rb"no rich text", "no rich text"),
        (b"", ""),
        (b"\\", ""),
    ],
)
def test_what_it_says(raw: bytes, text: str) -> None:
    assert rtf.read(raw) == (text, False)


def test_html_that_rich_text_is_wrapped_around_comes_out_as_it_was() -> None:
    raw = (
        rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\htmltag19 <html>}"
        rb"{\*\htmltag64 <p>}\htmlrtf \par{\htmlrtf0 Caf\'e9 {\*\htmltag84 <b>}\htmlrtf {\b\htmlrtf0 now"
        rb"{\*\htmltag92 </b>}\htmlrtf }\htmlrtf0 \par }{\*\htmltag27 </html>}}"
    )
    assert rtf.read(raw) == ("<html><p>Café <b>now</b>\n</html>", True)


def compressed(*pieces: bytes, size: int = 1000) -> bytes:
    return struct.pack("<II4sI", 0, size, b"LZFu", 0) + b"".join(pieces)


def test_compressed_text_is_unpacked_as_microsoft_s_examples_say() -> None:
    """MS-OXRTFCP sections 3.1.1 and 3.1.2."""
    simple = bytes.fromhex("2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0")
    assert rtf.unpacked(simple) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    repeated = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert rtf.unpacked(repeated) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


def test_text_that_is_not_compressed_is_as_it_is() -> None:
    assert rtf.unpacked(struct.pack("<II4sI", 0, 5, b"MELA", 0) + b"Hello and more") == b"Hello"


@given(st.binary(max_size=300))
def test_nothing_makes_it_raise(raw: bytes) -> None:
    rtf.read(rtf.unpacked(compressed(raw)))
    rtf.read(b"{\\rtf1\\fromhtml1 " + raw)


@given(
    st.lists(
        st.sampled_from(
            [
                b"{",
                b"}",
                b"\\*",
                b"\\htmltag1 ",
                b"\\htmlrtf",
                b"\\htmlrtf0",
                b"\\u5",
                b"\\bin9",
                b"\\'e9",
                b"x",
                b"\\f1",
                b"\\fonttbl",
            ]
        )
    )
)
def test_no_order_of_words_makes_it_raise(words: list[bytes]) -> None:
    rtf.read(b"".join(words))
