"""Which characters some bytes stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import charset


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("iso-8859-1", "cp1252", "“quoted” … €5"),
        ("US-ASCII", "cp1252", "café"),
        ("gb2312", "gb18030", "你好 繁體"),
        ("ks_c_5601-1987", "cp949", "안녕하세요 똠"),
        ("shift_jis", "cp932", "①髙橋"),
        ("iso-2022-jp", "iso-2022-jp", "こんにちは"),
        ("_iso-2022-jp$ESC", "iso-2022-jp", "こんにちは"),
        ("unicode-1-1-utf-7", "utf-7", "Frösche"),
        ("iso-8859-8-i", "iso-8859-8", "שלום"),
        ("windows-874", "cp874", "สวัสดี"),
        ("koi8-r", "koi8-r", "Привет"),
        (' "utf-8" ', "utf-8", "Grüße ✔"),
    ],
)
def test_it_knows_what_senders_mean_by_a_label(label: str, codec: str, text: str) -> None:
    assert charset.decode(text.encode(codec), label) == text


@pytest.mark.parametrize("label", ["", "iso-8859-1", "us-ascii", "x-unknown", "no-such-charset", "a b c"])
def test_well_formed_utf_8_is_believed_over_a_wrong_label(label: str) -> None:
    assert charset.decode("Grüße aus Köln".encode(), label) == "Grüße aus Köln"


@pytest.mark.parametrize("label", ["punycode", "idna", "hex", "base64", "zlib", "rot13", "unicode_escape", "undefined", "x\0y"])
def test_a_codec_that_is_no_charset_is_not_used(label: str) -> None:
    assert charset.codec(label) == ""
    assert charset.decode(b"abc", label) == "abc"


def test_a_page_may_say_its_own_charset() -> None:
    page = '<html><head><meta charset="koi8-r"></head>Привет</html>'.encode("koi8-r")
    assert "Привет" in charset.decode(page, "", markup=True)


def test_a_byte_order_mark_is_no_text() -> None:
    assert charset.decode("\ufeffhello".encode(), "utf-8") == "hello"
    assert charset.decode("hello".encode("utf-16")) == "hello"


def test_damaged_japanese_keeps_what_is_whole() -> None:
    whole = "こんにちは".encode("iso-2022-jp")
    assert charset.decode(whole[:7] + b"\x7f\x7f" + whole[7:], "iso-2022-jp").startswith("こん")


def test_text_without_a_label_is_guessed() -> None:
    text = "Здравствуйте, принтер на втором этаже снова не работает, помогите пожалуйста."
    assert charset.decode(text.encode("koi8-r")) == text


@given(st.binary(max_size=300), st.text(max_size=30))
def test_it_never_raises(raw: bytes, label: str) -> None:
    assert isinstance(charset.decode(raw, label), str)


@pytest.mark.parametrize(("raw", "label"), [(b"+2AA-", "utf-7"), (b"\x00\xd8", "utf-16-le")])
def test_half_a_character_is_none(raw: bytes, label: str) -> None:
    charset.decode(raw, label).encode("utf-8")


@pytest.mark.parametrize(
    ("raw", "label", "markup", "how"),
    [
        ("ж".encode("koi8-r"), "koi8-r", False, "koi8-r: as labelled"),
        (b"abc", "us-ascii", False, "cp1252: as labelled"),
        ("é".encode(), "us-ascii", False, "utf-8: well-formed"),
        ("é".encode(), "x-unknown", False, "utf-8: well-formed"),
        (b'<meta charset="koi8-r">\xf0', "", True, "koi8-r: what the page says"),
        ("\ufeffé".encode(), "koi8-r", False, "utf-8: its byte order mark"),
        ("é".encode("utf-16"), "", False, "utf-16: its byte order mark"),
        ("Здравствуйте, принтер на втором этаже снова не работает".encode("koi8-r"), "", False, "koi8-r: guessed from its bytes"),
    ],
)
def test_it_tells_which_rung_of_the_ladder_decided(raw: bytes, label: str, markup: bool, how: str) -> None:
    assert charset.read(raw, label, markup=markup)[1] == how


@pytest.mark.parametrize("label", ["iso-gb2312", "x-gbk", "GB2312"])
def test_chinese_labels_mean_the_largest_set(label: str) -> None:
    assert charset.decode("你好 繁體 €".encode("gb18030"), label) == "你好 繁體 €"


def test_ansi_x3_110_means_the_windows_one() -> None:
    assert charset.decode(b"caf\xe9", "ansi_x3.110-1983") == "café"
