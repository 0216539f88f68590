"""Foreign HTML made text, or made harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.rules import html
from tests import cpu


def test_a_page_reads_as_text() -> None:
    assert html.plain("<h1>Hello</h1><p>It is <b>broken</b>.<br>Please help</p>") == "Hello\n\nIt is broken.\nPlease help"


@pytest.mark.parametrize("markup", ["", "   ", "<!-- nothing -->", "<script>alert(1)</script>", "<style>p{}</style>", "<"])
def test_a_page_without_text_is_no_text(markup: str) -> None:
    assert html.plain(markup) in {"", "<"}


def test_what_is_nested_too_deep_is_read_without_being_parsed() -> None:
    deep = "<div>" * 100_000 + "It is broken &amp; cold."
    assert html.too_deep(deep)
    assert html.plain(deep) == "It is broken & cold."
    assert html.harmless(deep) is None
    assert cpu.least(lambda: (html.too_deep(deep), html.plain(deep), html.harmless(deep))) < 2


@pytest.mark.parametrize(
    "markup", ["<p>" * 1000, "<li>" * 1000, "<br>" * 1000, "<td>" * 1000, "<b>x</b>" * 1000, "<img src=x>" * 1000]
)
def test_what_only_looks_nested_is_not(markup: str) -> None:
    assert not html.too_deep(markup)


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>x",
        "<img src=x onerror=alert(1)>x",
        '<a href="java\tscript:alert(1)">x</a>',
        '<p style="position:fixed" id=a class=b hx-get=/>x</p>',
        "<svg><style><img src=x onerror=alert(1)></style></svg>x",
        "<form action=//evil.example><input name=p>x</form>",
        "<iframe srcdoc='<script>1</script>'></iframe>x",
    ],
)
def test_nothing_that_acts_is_left(evil: str) -> None:
    left = html.harmless(evil)
    assert left is not None
    for bad in ("script", "onerror", "style", "hx-", "<form", "<input", "<iframe", "<svg"):
        assert bad not in left


def test_cleaning_what_is_clean_changes_nothing() -> None:
    once = html.harmless('<p>a &lt;b&gt; <a href="https://x.example">c</a><img src="cid:1">')
    assert once is not None
    assert html.harmless(once) == once


def test_html_that_grows_beyond_measure_is_left_out() -> None:
    assert html.harmless("<" * 1_000_000) is None


@given(st.text(alphabet="<>/abdip ='\"!-&;[]é\x00", max_size=120))
def test_nothing_makes_it_raise(markup: str) -> None:
    assert isinstance(html.plain(markup), str)
    html.harmless(markup)
