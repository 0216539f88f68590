"""What is said again and again is written a few times, counted, and summed up when its minute is over."""

import json
import os
from pathlib import Path

import pytest

from image.loglines import Record
from image.logpump import Pump
from image.repeats import KINDS, MOST, WITHIN, Repeats


def said(msg: str, level: str = "error", proc: str = "nginx") -> Record:
    return {"ts": "t", "level": level, "proc": proc, "msg": msg, "trace": "long"}


def test_numbers_aside_the_same_words_are_written_twenty_times_a_minute_and_then_counted() -> None:
    repeats = Repeats()
    written = [n for n in range(MOST + 214) if repeats.passes(said(f"*{n} connect() failed, id a{n}f"), 100.0 + n / 10)]
    assert written == list(range(MOST))
    assert repeats.over(100.0 + WITHIN - 0.1) == []
    [told] = repeats.over(100.0 + WITHIN)
    assert (told["msg"], told["repeats"], told["level"], told["proc"]) == (
        "said 214 times more within a minute: *233 connect() failed, id a233f", 214, "error", "nginx",
    )  # fmt: skip
    assert "trace" not in told
    assert repeats.passes(said("*1 connect() failed, id a1f"), 100.0 + WITHIN)
    assert repeats.over(1000.0) == []


def test_other_words_another_program_and_another_level_are_counted_for_themselves() -> None:
    repeats = Repeats()
    for _ in range(MOST):
        assert repeats.passes(said("x"), 0.0)
    assert not repeats.passes(said("x"), 0.0)
    assert repeats.passes(said("y"), 0.0)
    assert repeats.passes(said("x", proc="redis"), 0.0)
    assert repeats.passes(said("x", level="warning"), 0.0)


def test_a_minute_that_is_over_begins_anew_also_where_nobody_asked_for_sums() -> None:
    repeats = Repeats()
    for at in (0.0, WITHIN, 2 * WITHIN):
        assert all(repeats.passes(said("x"), at) for _ in range(MOST))


def test_what_is_critical_is_always_written() -> None:
    repeats = Repeats()
    assert all(repeats.passes(said("x", level="critical"), 0.0) for _ in range(10 * MOST))


def test_it_remembers_no_more_than_so_many_kinds_and_writes_what_it_cannot_count() -> None:
    repeats = Repeats()
    words = [chr(0x4E00 + n) for n in range(KINDS + 1)]
    for _ in range(MOST + 1):
        for word in words[:KINDS]:
            repeats.passes(said(word), 0.0)
        assert repeats.passes(said(words[KINDS]), 0.0)
    assert len(repeats.over(WITHIN)) == KINDS


@pytest.mark.parametrize(("level", "lines"), [("info", MOST + 1), ("debug", 3 * MOST)])
def test_the_pump_sums_up_at_the_end_and_writes_all_where_debugging_is_wanted(tmp_path: Path, level: str, lines: int) -> None:
    reader, writer = os.pipe()
    pump = Pump(writer, level=level, form="json")
    pump.add_fifo(str(tmp_path / "x"), "x")
    (tmp_path / "x").write_text("".join(f'{{"level": "warning", "msg": "try {n}"}}\n' for n in range(3 * MOST)))
    pump.close()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        found = [json.loads(line)["msg"] for line in file]
    assert len(found) == lines
    assert found[0] == "try 0"
    assert found[-1] == ("try 59" if level == "debug" else "said 40 times more within a minute: try 59")
    assert pump.tail("x")[-1] == "try 59"


def test_requests_in_nginxs_log_are_each_their_own(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pump = Pump(writer, level="info", form="text")
    pump.add_fifo(str(tmp_path / "access"), "nginx", finished=True)
    (tmp_path / "access").write_text('{"level":"info","proc":"nginx","msg":"GET / 200"}\n' * 3 * MOST)
    pump.close()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        assert len(file.readlines()) == 3 * MOST
