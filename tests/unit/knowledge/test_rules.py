"""Placeholders, and what somebody tries who takes them for a programming language."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.knowledge import rules
from app.knowledge.rules import KNOWN, UnknownPlaceholder
from tests import cpu

VALUES = {name: f"<{name}>" for name in KNOWN}


def test_placeholders_stand_for_what_is_known() -> None:
    text = "Hello {{requester.first_name}}, it is about {{ ticket.number }}."

    assert rules.placeholders(text) == {"requester.first_name", "ticket.number"}
    assert rules.fill(text, {"requester.first_name": "Carol", "ticket.number": "7"}) == "Hello Carol, it is about 7."


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_known_placeholder_is_taken_and_filled_in(name: str) -> None:
    rules.placeholders(f"a {{{{{name}}}}} b")

    assert rules.fill(f"a {{{{{name}}}}} b", VALUES) == f"a <{name}> b"


@pytest.mark.parametrize(
    "attack",
    [
        "{{7*7}}",
        "{{''.__class__.__mro__}}",
        "{{x|attr('__globals__')}}",
        "{{ticket.number.__class__}}",
        "{{ticket}}",
        "{{}}",
        "{{requester.password_hash}}",
        "{{TICKET.NUMBER}}",
        "{{ range(100000000) }}",
        "{{ticket.number|upper}}",
    ],
)
def test_what_is_no_placeholder_is_refused_with_the_word_and_the_list(attack: str) -> None:
    with pytest.raises(UnknownPlaceholder) as refused:
        rules.placeholders(f"Hello {attack}")

    assert attack.strip("{}").strip() in refused.value.message
    assert "requester.first_name" in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(100000000) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
        "${7*7} <%= 7*7 %> #{7*7} {7*7} {ticket.number}",
        "%(number)s {0.__class__} {0!r}",
        "{ {ticket.number} }",
        "{{ticket.number",
    ],
)
def test_other_languages_are_only_words(text: str) -> None:
    assert rules.placeholders(text) == set()
    assert rules.fill(text, VALUES) == text


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    values = {
        "requester.name": "{{agent.email}}",
        "ticket.subject": "{{7*7}} {{requester.name}}",
        "agent.email": "alice@desk.example",
    }

    assert rules.fill("{{requester.name}}/{{ticket.subject}}", values) == "{{agent.email}}/{{7*7}} {{requester.name}}"
    assert rules.fill("{{{{requester.name}}}}", {"requester.name": "agent.email", "agent.email": "no"}) == "{{agent.email}}"


def test_a_value_that_is_missing_leaves_nothing() -> None:
    assert rules.fill("Team: {{team.name}}.", {}) == "Team: ."


@pytest.mark.parametrize(
    "evil", ["{" * 65_536, "{{" * 32_768, "{{a" * 21_000, "{{ticket.number}}" * 4_000, "{{" + "a" * 65_536, "}{" * 32_768]
)
def test_64_kilobytes_of_evil_take_no_time(evil: str) -> None:
    def read() -> None:
        with contextlib.suppress(UnknownPlaceholder):
            rules.placeholders(evil)
        rules.fill(evil, VALUES)

    assert cpu.least(read) < 0.1


@given(st.text(alphabet="{} abrequester.name\n", max_size=200), st.text(alphabet="{}requester.name", max_size=40))
def test_nothing_but_known_placeholders_ever_changes(text: str, value: str) -> None:
    filled = rules.fill(text, {"requester.name": value})

    if "requester.name" not in text:
        assert filled == text
    try:
        assert rules.placeholders(text) <= KNOWN.keys()
    except UnknownPlaceholder:
        assert "{{" in text


@pytest.mark.parametrize(
    ("name", "first"),
    [("Carol Smith", "Carol"), ("Smith, Carol Ann", "Carol"), ("Carol", "Carol"), ("", ""), ("Smith,", "Smith,"), (" , ", ",")],
)
def test_a_first_name_is_the_first_word(name: str, first: str) -> None:
    assert rules.first_name(name) == first


@pytest.mark.parametrize(("typed", "kept"), [("/Reset", "reset"), ("a", "a"), ("vpn_2", "vpn_2")])
def test_a_shortcut_is_one_small_word(typed: str, kept: str) -> None:
    assert rules.shortcut(typed) == kept


@pytest.mark.parametrize("typed", ["", "two words", "-x", "ä", "x" * 41, "a/b"])
def test_a_shortcut_of_other_signs_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        rules.shortcut(typed)
