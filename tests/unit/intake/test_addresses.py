"""Addresses and Message-IDs out of header fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules.addresses import MOST, addresses, first_mail_id, mail_ids
from tests import cpu


def pairs(raw: str) -> list[tuple[str, str]]:
    return [(a.name, a.address) for a in addresses(raw)]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("carol@acme.example", [("", "carol@acme.example")]),
        ("Carol <Carol@ACME.example>", [("Carol", "carol@acme.example")]),
        ("<carol@acme.example>", [("", "carol@acme.example")]),
        ("carol@acme.example (Carol (from Acme))", [("Carol from Acme", "carol@acme.example")]),
        ('"Jones, Carol" <c@a.example>, d@a.example', [("Jones, Carol", "c@a.example"), ("", "d@a.example")]),
        ("=?utf-8?q?Jones=2C_Carol?= <c@a.example>", [("Jones, Carol", "c@a.example")]),
        ("=?utf-8?q?Carol_(Acme)?= <c@a.example>", [("Carol (Acme)", "c@a.example")]),
        ("undisclosed-recipients:;", []),
        ("Team: a@a.example, B <b@a.example>; c@a.example", [("", "a@a.example"), ("B", "b@a.example"), ("", "c@a.example")]),
        ("<@one.example,@two.example:c@a.example>", [("", "c@a.example")]),
        ("c @ a . example", [("", "c@a.example")]),
        ('"quoted local"@a.example', [("", '"quoted local"@a.example')]),
        ('";"@a.example', []),
        ('"a,b"@a.example, c@a.example', [("", "c@a.example")]),
        ("c@a.example.", [("", "c@a.example")]),
        ("c@[192.0.2.1]", [("", "c@[192.0.2.1]")]),
        ("jörg@bücher.example", [("", "jörg@bücher.example")]),
        ("Big Bug c@a.example", [("", "c@a.example")]),
        ("", []),
        ("nobody", []),
        ("a@b@c", []),
        (",;,<>,()", []),
    ],
)
def test_addresses(raw: str, found: list[tuple[str, str]]) -> None:
    assert pairs(raw) == found


@pytest.mark.parametrize(
    "raw",
    [
        '"victim@acme.example" <mallory@evil.example>',
        "victim@acme.example <mallory@evil.example>",
        '"<victim@acme.example>" <mallory@evil.example>',
        "(victim@acme.example) mallory@evil.example",
        '"victim@acme.example <mallory@evil.example>',
        "=?utf-8?q?victim=40acme.example=3E?= <mallory@evil.example>",
        '"a\\" <victim@acme.example>" <mallory@evil.example>',
    ],
)
def test_a_name_that_looks_like_an_address_is_only_a_name(raw: str) -> None:
    assert [address for _, address in pairs(raw)] == ["mallory@evil.example"]


def test_an_unclosed_mark_does_not_swallow_the_address() -> None:
    assert pairs("(" * 300 + " c@a.example")[0][1] == "c@a.example"
    assert pairs('"Carol <c@a.example>') == [("Carol", "c@a.example")]
    assert pairs("Carol <c@a.example") == [("Carol", "c@a.example")]


def test_control_characters_never_get_into_an_address() -> None:
    assert pairs("c\x00@a.example, c@a\r\n .example\n") == [("", "c@a.example")]


def test_a_thousand_addresses_are_enough() -> None:
    assert len(addresses("a@b.example," * 2000)) == MOST


def test_message_ids_keep_their_order_and_come_once() -> None:
    assert mail_ids("<1@a> junk <2@b>\t<1@a><3@c") == ("<1@a>", "<2@b>")


@pytest.mark.parametrize(
    ("raw", "found"),
    [("<1@a>", "<1@a>"), (" 1@a ", "<1@a>"), ("<1@a", "<1@a>"), ("", None), ("a b", None), ("<a b>", None)],
)
def test_a_message_id_gets_the_brackets_it_lacks(raw: str, found: str | None) -> None:
    assert first_mail_id(raw) == found


@given(st.text(alphabet='ab@.<>()",;:\\ =?q_é\x00', max_size=60))
def test_whatever_it_finds_is_an_address(raw: str) -> None:
    for found in addresses(raw):
        local, at, domain = found.address.rpartition("@")
        assert local
        assert at
        assert domain
        assert not set(found.address) & set("\r\n\0<>,;")


@pytest.mark.parametrize(
    "evil",
    [
        "(" * 64_000,
        '"\\' * 32_000,
        "()" * 32_000,
        "<" * 64_000,
        ":" * 64_000,
        "a@b.c," * 10_000,
        " " * 64_000 + "x",
        " ." * 32_000,
        "=?a?q?" * 10_000,
    ],
)
def test_64_kb_of_evil_text_takes_less_than_a_second(evil: str) -> None:
    assert cpu.least(lambda: (addresses(evil), mail_ids(evil))) < 1
