"""What custom fields take."""

import json
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tickets.rules import FieldKind
from app.tickets.typed import LARGEST, LONGEST, Kind, WrongValue, checked

COLOURS = ("red", "green", "blue")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(COLOURS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def field(kind: FieldKind) -> Kind:
    return Kind("colour", kind, COLOURS if kind in {FieldKind.CHOICE, FieldKind.MULTI_CHOICE} else ())


@given(st.sampled_from(FieldKind), JSON)
def test_whatever_is_sent_is_refused_or_stored_as_json_that_reads_back_and_is_taken_again(kind: FieldKind, value: Any) -> None:
    with suppress(WrongValue):
        stored = checked(field(kind), value)
        again = json.dumps(stored, allow_nan=False)
        assert json.loads(again) == stored
        assert "\\u0000" not in again
        assert checked(field(kind), stored) == stored


@given(st.sampled_from(FieldKind), st.dictionaries(st.text(max_size=3), JSON))
def test_a_refusal_names_the_field(kind: FieldKind, value: dict[str, Any]) -> None:
    with pytest.raises(WrongValue, match="colour"):
        checked(field(kind), value)


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (FieldKind.TEXT, "  A-17\r\nB ", "A-17\nB"),
        (FieldKind.TEXT, "   ", None),
        (FieldKind.NUMBER, 3, 3),
        (FieldKind.NUMBER, -0.5, -0.5),
        (FieldKind.DATE, "2028-02-29", "2028-02-29"),
        (FieldKind.CHOICE, "red", "red"),
        (FieldKind.MULTI_CHOICE, ["blue", "red", "blue"], ["red", "blue"]),
        (FieldKind.MULTI_CHOICE, [], None),
        (FieldKind.CHECKBOX, False, False),
        (FieldKind.CHECKBOX, None, None),
    ],
)
def test_it_is_stored_in_one_form(kind: FieldKind, value: Any, stored: Any) -> None:
    assert checked(field(kind), value) == stored


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        (FieldKind.TEXT, 5, "a text of at most"),
        (FieldKind.TEXT, "x" * (LONGEST + 1), "at most 1000"),
        (FieldKind.TEXT, "\ud800", "half a character"),
        (FieldKind.NUMBER, True, "a number"),
        (FieldKind.NUMBER, "3", "a number"),
        (FieldKind.NUMBER, float("nan"), "a number"),
        (FieldKind.NUMBER, float("inf"), "a number"),
        (FieldKind.NUMBER, LARGEST + 1, "a number"),
        (FieldKind.NUMBER, 10**400, "a number"),
        (FieldKind.DATE, "2027-02-29", "2026-11-23"),
        (FieldKind.DATE, "20270228", "2026-11-23"),
        (FieldKind.DATE, "2027-W05-12", "2026-11-23"),
        (FieldKind.DATE, 20270228, "2026-11-23"),
        (FieldKind.CHOICE, "pink", "red, green, blue"),
        (FieldKind.CHOICE, ["red"], "red, green, blue"),
        (FieldKind.MULTI_CHOICE, ["red", "pink"], "red, green, blue"),
        (FieldKind.MULTI_CHOICE, "red", "red, green, blue"),
        (FieldKind.CHECKBOX, 1, "true or false"),
    ],
)
def test_what_it_can_not_hold_is_refused_with_what_would_do(kind: FieldKind, value: Any, hint: str) -> None:
    with pytest.raises(WrongValue, match=hint):
        checked(field(kind), value)


@given(st.dates())
def test_every_date_is_one(day: date) -> None:
    assert checked(field(FieldKind.DATE), day.isoformat()) == day.isoformat()
