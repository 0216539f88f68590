"""Which addresses get mail, and when the next try is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outbox import rules
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


@pytest.mark.parametrize(
    ("words", "nobody"),
    [
        ("550 5.1.1 <carol@acme.example>: no such user", True),
        ("5.0.0 550 5.1.1 no such user", True),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound", True),
        ("5.7.1 550 5.1.1 forbidden", False),
        ("550 no such user", False),
        ("550 refused by [5.1.1.9], 15.1.1", False),
        ("5.2.2 552 mailbox full", False),
        ("", False),
    ],
)
def test_nobody_is_there_only_where_the_first_code_that_says_something_says_so(words: str, nobody: bool) -> None:
    assert rules.nobody_there(words) is nobody


@given(
    start=st.timedeltas(timedelta(0), timedelta(days=3000)).map(lambda passed: datetime(2026, 1, 1, tzinfo=UTC) + passed),
    pauses=st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=20)), max_size=30),
)
def test_failing_days_are_never_more_than_the_days_there_were(start: datetime, pauses: list[timedelta]) -> None:
    now = since = start
    days = rules.failing_days(0, None, now)
    for passed in pauses:
        before, last, now = days, now, now + passed
        days = rules.failing_days(before, last, now)
        since = now if passed > rules.FORGOTTEN else since
        assert 1 <= days <= (now.date() - since.date()).days + 1
        assert days <= before + 1


def test_a_webhook_is_signed_as_standard_webhooks_shows_it() -> None:
    said = rules.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_a_webhook_does_not_take_is_tried_ever_more_rarely_and_it_is_left_in_peace_after_five_failures() -> None:
    assert [rules.told_again_after(n).total_seconds() for n in range(1, 8)] == [5, 60, 300, 900, 3600, 21600, 21600]
    pauses = [rules.left_in_peace(n) for n in range(1, 11)]
    assert pauses[:4] == [None] * 4
    assert [pause.total_seconds() / 60 for pause in pauses if pause] == [1, 5, 15, 30, 60, 60]
