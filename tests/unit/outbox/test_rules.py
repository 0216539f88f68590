"""Which addresses get mail, and when the next try is due."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outbox.rules import Verdict, again_after, pause, wire_address


def test_it_tries_again_after_1_5_15_and_then_every_60_minutes() -> None:
    minutes = [pause.total_seconds() / 60 for n in range(1, 7) if (pause := again_after(n))]
    assert minutes == [1, 5, 15, 60, 60, 60]


def test_it_gives_up_after_two_days() -> None:
    spent, attempts = timedelta(), 1
    while again := again_after(attempts):
        spent, attempts = spent + again, attempts + 1
    assert timedelta(days=2) <= spent < timedelta(days=2, hours=1)


def test_a_refused_sign_in_is_tried_after_1_5_15_60_minutes_and_6_hours() -> None:
    hours = [pause(Verdict.REFUSED, n).total_seconds() / 3600 for n in range(1, 8)]
    assert hours == [1 / 60, 5 / 60, 15 / 60, 1, 6, 6, 6]


def test_an_unreachable_server_is_tried_at_least_every_5_minutes() -> None:
    assert pause(Verdict.UNREACHABLE, 1) == timedelta(seconds=5)
    assert max(pause(Verdict.UNREACHABLE, n) for n in range(1, 100)) == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("carol@acme.example", "carol@acme.example"),
        ("o'neill+tag@acme.example", "o'neill+tag@acme.example"),
        ("carol@bücher.example", "carol@xn--bcher-kva.example"),
        ("info@straße.example", "info@xn--strae-oqa.example"),
        ("root@localhost", "root@localhost"),
        ("first..last.@docomo.example", "first..last.@docomo.example"),
    ],
)
def test_an_address_is_written_as_smtp_takes_it(address: str, wire: str) -> None:
    assert wire_address(address) == wire


@pytest.mark.parametrize(
    "address",
    [
        "",
        "carol",
        "@acme.example",
        "carol@",
        "carol@acme..example",
        "carol@nobody.invalid",
        "carol@nobody.INVALID.",
        "carol@x\r\nRCPT TO:<mallory@evil.example>",
        "carol\r\n@acme.example",
        "carol>@acme.example",
        "<carol@acme.example",
        "a b@acme.example",
        '"a b"@acme.example',
        "carol\0@acme.example",
        "käthe@acme.example",
        "carol@-acme.example",
        "carol@" + "a" * 64 + ".example",
        "c" * 65 + "@acme.example",
        "carol@acme.example\n",
        "carol @acme.example",
    ],
)
def test_what_is_no_address_or_never_gets_mail_is_refused_in_words(address: str) -> None:
    with pytest.raises(ValueError, match="mail"):
        wire_address(address)


@given(st.text())
def test_a_wire_address_is_plain_printable_ascii(text: str) -> None:
    try:
        wire = wire_address(text)
    except ValueError:
        return
    assert wire.isascii()
    assert wire.isprintable()
    assert not set(wire) & set('<> ",;:\\()[]')
    assert wire.count("@") == 1
