"""What can be a tag."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tickets.tags import LONGEST, WrongTag, normal


@pytest.mark.parametrize(
    ("raw", "tag"), [(" VPN ", "vpn"), ("Größe", "größe"), ("new-york_2", "new-york_2"), ("ﬁnance", "finance")]
)
def test_case_and_writing_make_no_difference(raw: str, tag: str) -> None:
    assert normal(raw) == tag


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "two words",
        "a,b",
        'a"b',
        "a/b",
        "a\\b",
        "..",
        "-vpn",
        "a\0b",
        "a\u202eb",
        "a\u200bb",
        "\ud800",
        "a\nb",
        "x" * (LONGEST + 1),
    ],
)
def test_what_would_be_no_word_is_refused(raw: str) -> None:
    with pytest.raises(WrongTag):
        normal(raw)


@given(st.text(max_size=60))
def test_a_tag_is_its_own_normal_form_and_goes_in_a_path_a_list_and_a_search(raw: str) -> None:
    try:
        tag = normal(raw)
    except WrongTag:
        return
    assert normal(tag) == tag
    assert 1 <= len(tag) <= LONGEST
    assert tag.split() == [tag]
    assert not set(tag) & set('"/,\\')
