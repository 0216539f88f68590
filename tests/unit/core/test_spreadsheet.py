"""What a spreadsheet is given can't make it do anything."""

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import spreadsheet

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20\u2212\ufe63\ufe62\ufe66\ufe6b"
ODD = st.text(st.sampled_from([*FORMULA, *"\"';,|\t\r\n\v\f\x00\x1b\x85 ab1", "\u2028", "\u200b", "\ufeff", "\u202e", "\u00a0"]))
CELLS = st.lists(ODD | st.text(), min_size=1, max_size=6)


def read(line: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter))


def begins_a_formula(cell: str) -> bool:
    bare = "".join(c for c in cell if unicodedata.category(c) not in {"Cf", "Cc"}).lstrip("\"' \u00a0")
    return bool(bare) and bare[0] in FORMULA and not cell.lstrip('" \u00a0').startswith("'")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("plain", '"plain"'),
        ("=1+1", '"\'=1+1"'),
        ("+1", '"\'+1"'),
        ("-1+cmd|' /C calc'!A0", "\"'-1+cmd|' /C calc'!A0\""),
        ("@SUM(A1)", '"\'@SUM(A1)"'),
        ("\t=1", '"\' =1"'),
        ("\r\n=1", '"\'  =1"'),
        ("  =1", '"\'  =1"'),
        ('"=1', '"\'""=1"'),
        ("\uff1d1+1", '"\'\uff1d1+1"'),
        ("\u200b=1", '"\'=1"'),
        ("\ufeff@x", '"\'@x"'),
        ("\u202e=1", '"\'=1"'),
        ("a;=1", '"a;\'=1"'),
        ('a";"=1', '"a"";\'""=1"'),
        ("a\nb", '"a b"'),
        ("it's", '"it\'s"'),
        ("a - b", '"a - b"'),
        ("me@example.com", '"me@example.com"'),
        ("", '""'),
        (None, '""'),
        (-5, '"-5"'),
        (1.5, '"1.5"'),
    ],
)
def test_a_cell_is_shown_and_never_run(text: object, cell: str) -> None:
    assert spreadsheet.cell(text) == cell


@given(CELLS)
def test_a_row_is_one_line_of_as_many_cells_and_none_begins_a_formula(cells: list[str]) -> None:
    line = spreadsheet.row(cells)
    assert line.endswith("\r\n")
    assert len(line[:-2].splitlines()) <= 1
    (found,) = read(line)
    assert len(found) == len(cells)
    assert not any(map(begins_a_formula, found))


@given(CELLS)
def test_no_formula_begins_where_a_spreadsheet_splits_at_semicolons(cells: list[str]) -> None:
    for part in re.split(r"[;\t]", spreadsheet.row(cells)[:-2]):
        assert not begins_a_formula(part)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_ordinary_words_stay_as_they_are(words: str) -> None:
    assert read(spreadsheet.row([words])) == [[words]]


def test_a_cell_is_not_longer_than_a_spreadsheet_holds() -> None:
    assert len(spreadsheet.cell("=;" * 50_000)) < 50_000
    assert len(spreadsheet.cell("a" * 50_000)) < 32_767
