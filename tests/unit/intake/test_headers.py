"""A mail's header: folding, encoded words and parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import headers
from tests import cpu


def first(raw: bytes, name: str) -> str:
    return headers.split(raw)[0].first(name)


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_any_line_end_will_do(end: bytes) -> None:
    raw = end.join([b"Subject: one", b" two", b"To: a@b.example", b"", b"body"])
    found, at = headers.split(raw)
    assert (found.first("subject"), found.first("to"), raw[at:]) == ("one two", "a@b.example", b"body")


def test_of_two_fields_the_first_counts() -> None:
    assert first(b"Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\n\r\n", "message-id") == "<1@a>"


def test_an_mbox_line_at_the_start_is_no_header() -> None:
    assert first(b"From carol Mon Nov 23 10:00:00 2026\nSubject: s\n\nbody", "subject") == "s"


def test_a_body_without_the_empty_line_before_it_is_still_a_body() -> None:
    raw = b"Subject: s\r\nHello there\r\nHow are you"
    assert raw[headers.split(raw)[1] :] == b"Hello there\r\nHow are you"


def test_a_mail_may_have_no_header_at_all() -> None:
    assert headers.split(b"\r\nbody") == (headers.Headers(), 2)


def test_a_field_is_cut_at_64_kb_and_all_together_at_256_kb() -> None:
    found, _ = headers.split(b"X: " + b"a" * 1_000_000 + b"\r\nSubject: s\r\n\r\n")
    assert len(found.first("x")) <= headers.MOST_ONE
    assert found.first("subject") == "s"
    many, _ = headers.split(b"X: y\r\n" * 1_000_000)
    assert len(many.fields) * len("X: y\r") <= headers.MOST_ALL


def test_raw_bytes_are_read_in_the_charset_of_the_mail() -> None:
    found = headers.Headers([("subject", "Привет".encode("koi8-r"))], charset="koi8-r")
    assert found.text("subject") == "Привет"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?UTF-8?q?Gr=c3=BC=C3=9Fe_an_alle?=", "Grüße an alle"),
        ("=?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "Grüße"),
        ("=?utf-8?q?one?=  =?iso-8859-1?q?_two=E9?=", "one twoé"),
        ("Re: =?utf-8?q?a?= b =?utf-8?q?c?=", "Re: a b c"),
        ("=?utf-8?q?with spaces, and more?=", "with spaces, and more"),
        ("=?utf-8?q?what?_yes?=", "what? yes"),
        ("=?utf-8*de?q?language?=", "language"),
        ("=?utf-8?b?R3LDvMOfZQ?=", "Grüße"),
        ("=?x-unknown?q?caf=E9?=", "café"),
        ("a =? b", "a =? b"),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        ("=??q?x?=", "=??q?x?="),
        ("", ""),
    ],
)
def test_encoded_words(raw: str, text: str) -> None:
    assert headers.words(raw) == text


@pytest.mark.parametrize(
    ("raw", "value", "parameters"),
    [
        ("text/plain; charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        ('TEXT/HTML ; Charset = "utf-8" ', "text/html", {"charset": "utf-8"}),
        ('attachment; filename="a;b.txt"; x=1', "attachment", {"filename": "a;b.txt", "x": "1"}),
        ('a; filename="say \\"hi\\".txt"', "a", {"filename": 'say "hi".txt'}),
        ("a; filename=my file.pdf", "a", {"filename": "my file.pdf"}),
        ("a; filename*=utf-8''na%C3%AFve.txt", "a", {"filename": "naïve.txt"}),
        ("a; filename*0*=utf-8''na%C3; filename*1*=%AFve; filename*2=.txt", "a", {"filename": "naïve.txt"}),
        ("a; filename*1=b; filename*0=a", "a", {"filename": "ab"}),
        ('a; filename="=?utf-8?q?na=C3=AFve?="', "a", {"filename": "naïve"}),
        ("a; filename=old; filename*=utf-8''new", "a", {"filename": "new"}),
        ("a; =; ;; x", "a", {}),
        ("", "", {}),
    ],
)
def test_parameters(raw: str, value: str, parameters: dict[str, str]) -> None:
    assert headers.parameters(raw) == (value, parameters)


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"SGVsbG8=", b"Hello"),
        (b"SGVs\r\nbG8=\r\n", b"Hello"),
        (b"SGVsbG8", b"Hello"),
        (b"S!G-V*s bG8=", b"Hello"),
        (b"SGVsbG8=SGVsbG8=", b"HelloHello"),
        (b"SGVsbG8=\r\n-- \r\nfooter", b"Hello"),
        (b"", b""),
        (b"A", b""),
    ],
)
def test_base64_gives_what_can_be_had(raw: bytes, content: bytes) -> None:
    assert headers.base64(raw).startswith(content)


@given(st.binary(max_size=400))
def test_nothing_makes_it_raise(raw: bytes) -> None:
    found, at = headers.split(raw)
    assert 0 <= at <= len(raw)
    for name, _ in found.fields:
        headers.words(found.first(name))
        headers.parameters(found.first(name))


@given(st.text(max_size=200))
def test_text_without_encoded_words_is_left_alone(raw: str) -> None:
    assert headers.words(raw) == raw or "=?" in raw


@pytest.mark.parametrize(
    "evil", ["=?" * 32_000, "=?a?q?" * 10_000, "=?a?q?x?= " * 6_400, '"' * 64_000, ';"\\' * 21_000, "a*0=b;" * 10_000]
)
def test_64_kb_of_evil_text_takes_less_than_a_second(evil: str) -> None:
    assert cpu.least(lambda: (headers.words(evil), headers.parameters(evil))) < 1
