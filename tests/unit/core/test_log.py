"""One event is one line, whatever somebody typed."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.log import JsonLines, about

FORGED = '\n{"level": "info", "msg": "all is well"}\r\n'


def line(words: str) -> str:
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": "refused %s", "args": (words,), "agent": words})
    return JsonLines("api").format(record)


@pytest.mark.parametrize("words", [FORGED, "\x1b[2Jgone", "\x9b2Jgone", "\u202eevil", "a\u2028b", "a\x85b", "\x00", "\ud800"])
def test_what_somebody_typed_stays_in_its_line_and_moves_no_terminal(words: str) -> None:
    written = line(words)
    assert len(written.splitlines()) == 1
    assert written.isprintable()
    assert json.loads(written)["agent"] == words


@given(st.text(st.characters()))
def test_every_text_is_one_line_of_json_that_can_be_written(words: str) -> None:
    written = line(words)
    assert len(written.encode().splitlines()) == 1
    assert len(written.splitlines()) == 1
    assert json.loads(written)["msg"] == f"refused {words}"


def test_what_is_logged_meanwhile_says_what_it_is_about_and_afterwards_no_more() -> None:
    with about(mail=3):
        with about(letter=4):
            both = json.loads(line("x"))
        one = json.loads(line("x"))
    assert [(found.get("mail"), found.get("letter")) for found in (both, one, json.loads(line("x")))] == [
        (3, 4), (3, None), (None, None),
    ]  # fmt: skip
