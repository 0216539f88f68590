"""Lines travel from every program to the container's log, and nobody has to wait for its reader."""

import json
import os
import threading
from pathlib import Path

import pytest

from image.logpump import BACKLOG, Pump, Writer


class Log:
    """The reading end of a container's log."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def lines(self) -> list[str]:
        os.close(self.writer)
        with os.fdopen(self.reader, encoding="utf-8") as file:
            return file.read().splitlines()

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def log() -> Log:
    return Log()


def test_what_a_program_writes_into_its_pipe_comes_out_as_records(log: Log, tmp_path: Path) -> None:
    pump = Pump(log.writer, level="info", form="json")
    pump.add_fifo(str(tmp_path / "redis"), "redis")
    (tmp_path / "redis").write_text("26:M 01 Mar 2026 11:59:59.123 * Ready\nunfinished\n")
    pump.close()
    assert [(r["proc"], r["msg"]) for r in log.records()] == [("redis", "Ready"), ("redis", "unfinished")]


def test_a_line_that_may_go_on_is_written_at_the_end_all_the_same(log: Log) -> None:
    pump = Pump(log.writer, level="info", form="json")
    reader, writer = os.pipe()
    pump.add(reader, "postgres")
    os.write(writer, b"2026-03-01 11:59:59.001 UTC [45] LOG:  database system is shut down\n")
    pump.close()
    assert [r["msg"] for r in log.records()] == ["database system is shut down"]


def test_the_level_decides_what_is_written_and_debugging_is_not_in_the_tail(log: Log, tmp_path: Path) -> None:
    pump = Pump(log.writer, level="warning", form="json")
    pump.add_fifo(str(tmp_path / "x"), "x")
    (tmp_path / "x").write_text('{"level": "debug", "msg": "a"}\n{"level": "info", "msg": "b"}\n{"level": "error", "msg": "c"}\n')
    pump.close()
    assert pump.tail("x") == ["b", "c"]
    assert [r["msg"] for r in log.records()] == ["c"]


def test_the_tail_keeps_the_last_twenty_lines_of_each_program(log: Log, tmp_path: Path) -> None:
    pump = Pump(log.writer, level="info", form="json")
    pump.add_fifo(str(tmp_path / "x"), "x")
    (tmp_path / "x").write_text("".join(f"line {n}\n" for n in range(30)))
    pump.close()
    assert pump.tail("x") == [f"line {n}" for n in range(10, 30)]
    assert pump.tail("never heard of") == []


def test_nginxs_finished_records_go_through_as_they_are(log: Log, tmp_path: Path) -> None:
    pump = Pump(log.writer, level="info", form="json")
    pump.add_fifo(str(tmp_path / "access"), "nginx", finished=True)
    (tmp_path / "access").write_text('{"ts":"t","level":"info","proc":"nginx","msg":"GET / 200"}\n')
    pump.close()
    assert log.lines() == ['{"ts":"t","level":"info","proc":"nginx","msg":"GET / 200"}']


def test_a_full_log_keeps_nobody_waiting_and_says_what_was_thrown_away(log: Log) -> None:
    writer = Writer(log.writer)
    line = "x" * 65536
    for _ in range(2 * BACKLOG // len(line)):
        writer.put(line)  # nobody reads, and this comes back all the same
    read: list[str] = []

    def drain() -> None:
        with os.fdopen(log.reader, encoding="utf-8") as file:
            read.extend(iter(lambda: file.readline().rstrip("\n"), "the end"))

    reading = threading.Thread(target=drain)
    reading.start()
    while reading.is_alive():
        writer.put("the end")
        reading.join(0.05)
    notices = [json.loads(each) for each in read if each.startswith("{")]
    assert [notice["level"] for notice in notices] == ["warning"]
    assert "thrown away" in notices[0]["msg"]
