"""How a key that somebody brings gets to the child: as a mail that brings it, whatever bytes it is made of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.intake import keys
from app.intake.reader import Unreadable
from app.intake.rules import openpgp, parts
from app.intake.rules import read as reads
from app.intake.rules.keys import MOST_KEY, in_groups


class Seen:
    """A reader in this process, that remembers what it was given."""

    raw = b""

    def read(self, raw: bytes, *_: Any) -> Any:
        self.raw = raw
        return reads.mail(raw)[0]


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=3))
def test_it_arrives_byte_for_byte(contents: list[bytes]) -> None:
    seen: Any = Seen()
    keys.read(seen, *contents)
    assert openpgp.brought(parts.tree(seen.raw)[0]) == contents


@pytest.mark.parametrize("content", [b"x\r", b"--key--\n", b"\n\n--key\nx"])
def test_nor_does_what_looks_like_the_end_of_it_end_it(content: bytes) -> None:
    test_it_arrives_byte_for_byte.hypothesis.inner_test([content, content])  # type: ignore[attr-defined]


def test_what_is_larger_than_any_key_is_not_read() -> None:
    with pytest.raises(Invalid, match="at most 256 KB"):
        keys.read(Seen(), b"x" * (MOST_KEY + 1))  # type: ignore[arg-type]


def test_what_can_not_be_read_is_no_key() -> None:
    class Falls:
        def read(self, *_: Any) -> None:
            raise Unreadable("it fell")

    assert keys.read(Falls(), b"x") == ()  # type: ignore[arg-type]


def test_people_compare_a_fingerprint_in_groups() -> None:
    assert in_groups("0123456789AB") == "0123 4567 89AB"
