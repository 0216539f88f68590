"""A message's text in pieces: what is said, and what a page folds because it was said before or is a signature."""

from collections.abc import Sequence
from typing import Any

Piece = tuple[str, str]  # words, and why they are folded; empty for what is shown


def pieces(text: str, folds: Sequence[Sequence[Any]]) -> list[Piece]:
    """All of `text` in order, none twice and none left out, whatever `folds` say: [from, up to, why]."""
    found: list[Piece] = []
    at = 0
    for begin, end, why in folds:
        if at <= begin < end <= len(text):
            found += [(text[at:begin], ""), (text[begin:end], why)]
            at = end
    return [piece for piece in (*found, (text[at:], "")) if piece[0]]
