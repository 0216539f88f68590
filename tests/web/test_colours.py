"""The stylesheet: words can be read on what they stand on, by day and by night (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re

import pytest

from app.web.pages import STATIC

CSS = (STATIC / "desk.css").read_text()
DAY, NIGHT = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in CSS.split("*, ::before")[0].split("@media"))

WORDS = [
    *[("ink", on) for on in ("paper", "surface", "sunk", "lapis-wash", "gold-wash", "carnelian-wash")],
    *[("soft", on) for on in ("paper", "surface", "sunk", "lapis-wash", "gold-wash")],
    *[("lapis", on) for on in ("paper", "surface", "lapis-wash", "gold-wash")],
    ("on-lapis", "lapis"),
    ("on-lapis", "lapis-deep"),
    ("surface", "gold"),
    ("gold", "surface"),
    ("gold", "gold-wash"),
    ("malachite", "surface"),
    ("malachite", "malachite-wash"),
    ("carnelian", "surface"),
    ("carnelian", "lapis-wash"),
    ("carnelian", "carnelian-wash"),
]
EDGES = [("edge", on) for on in ("paper", "surface", "lapis-wash", "gold-wash")]


def _light(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, bright = sorted((_light(one), _light(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tokens", [DAY, NIGHT], ids=["day", "night"])
def test_words_and_edges_stand_out(tokens: dict[str, str]) -> None:
    faint = {(word, on) for word, on in WORDS if _contrast(tokens[word], tokens[on]) < 4.5}
    faint |= {(edge, on) for edge, on in EDGES if _contrast(tokens[edge], tokens[on]) < 3}

    assert faint == set()


def test_nothing_comes_from_elsewhere() -> None:
    assert not re.search(r"@import|https?:|url\(", CSS)
