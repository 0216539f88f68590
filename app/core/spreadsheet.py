"""Tables as CSV (RFC 4180) that a spreadsheet shows and never runs.

A spreadsheet takes a cell that begins with = + - @ for a formula, quoted or not; some take the full-width characters too, and
some split a line at semicolons whatever the quotes say. So text that could begin one gets an apostrophe in front, wherever a
cell could begin; every cell is quoted; and no cell has a line break or anything else that can't be seen.
"""

import re
import unicodedata
from collections.abc import Iterable

MEDIA_TYPE = "text/csv; charset=utf-8"
BEGIN = "\ufeff"  # without it a spreadsheet doesn't take the text for UTF-8
LONGEST = 32_000  # characters; a spreadsheet's cell ends at 32,767

_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20\u2212\ufe63\ufe62\ufe66\ufe6b"
_STARTS = re.compile(rf"(?:^|(?<=[;|]))(?=['\"\s]*[{_FORMULA}])")


def row(values: Iterable[object]) -> str:
    """One line, with its end."""
    return ",".join(map(cell, values)) + "\r\n"


def cell(value: object) -> str:
    """One value, quoted. Numbers stay numbers, negative ones too; what is nothing is an empty cell."""
    if value is None:
        return '""'
    written = str(value) if isinstance(value, int | float) else _harmless(str(value))
    return '"' + written.replace('"', '""') + '"'


def _harmless(text: str) -> str:
    visible = "".join(" " if _breaks(c) else c for c in text if _breaks(c) or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    return _STARTS.sub("'", visible[:LONGEST])


def _breaks(character: str) -> bool:
    return character in "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
