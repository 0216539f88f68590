"""Whom a note calls."""

import pytest

from app.tickets.mentions import names
from tests import cpu


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ("@alice please look", ["alice"]),
        ("Ask @Alice, or @bob.", ["alice", "bob"]),
        ("@alice@desk.example.", ["alice@desk.example"]),
        ('It is @"Alice  Example", isn\'t it?', ["alice example"]),
        ("(@alice) [@bob] “@erin”", ["alice", "bob", "erin"]),
        ("@alice @alice @ALICE", ["alice"]),
        ("@first.last-name+tag", ["first.last-name+tag"]),
        ("@dörte", ["dörte"]),
        ("line\n@alice\n@bob", ["alice", "bob"]),
    ],
)
def test_an_at_sign_calls_somebody(said: str, called: list[str]) -> None:
    assert names(said) == called


@pytest.mark.parametrize(
    "said",
    [
        "write to carol@acme.example",
        "first.last+tag@desk.example, x_@desk.example",
        "`@alice` in code",
        "```\n@alice\n@bob\n```",
        "``` never closed @alice",
        "https://social.example/@alice",
        "@ alice",
        "a @ b",
        "@",
        '@""',
        '@"two\nlines"',
        "@@@@",
        "@...",
    ],
)
def test_addresses_code_and_lone_signs_call_nobody(said: str) -> None:
    assert names(said) == []


@pytest.mark.parametrize(
    "evil",
    [
        "@" * 65_536,
        "@a" * 32_768,
        '@"' * 32_768,
        "`" * 65_536,
        "```" * 21_845,
        "@a@" * 21_845,
        "@" + "a." * 32_768,
        "`@a\n" * 16_384,
        '@"a' * 21_845,
        " @" * 32_768,
        "@" + "-" * 65_536,
        "@x@" + "." * 65_536,
    ],
)
def test_64_kilobytes_of_evil_take_no_time(evil: str) -> None:
    assert cpu.least(lambda: names(evil)) < 0.1
