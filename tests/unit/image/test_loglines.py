"""What every program writes becomes one record, and no record can pretend to be another."""

import json

import pytest

from image.loglines import LIMIT, Joiner, Lines, as_json, as_text, parse

NOW = "2026-03-01T12:00:00.123+00:00"


@pytest.mark.parametrize(
    ("proc", "line", "level", "msg"),
    [
        ("postgres", "2026-03-01 11:59:59.001 UTC [45] LOG:  database system is ready", "info", "database system is ready"),
        ("postgres", "2026-03-01 11:59:59.001 UTC [45] atum@atum ERROR:  no such table", "error", "no such table"),
        ("postgres", "2026-03-01 11:59:59.001 UTC [45] PANIC:  could not write", "critical", "could not write"),
        ("postgres", "2026-03-01 11:59:59.001 UTC [45] WARNING:  out of ideas", "warning", "out of ideas"),
        ("nginx", "2026/03/01 11:59:59 [error] 7#7: *1 upstream timed out", "error", "*1 upstream timed out"),
        ("nginx", "nginx: [emerg] bind() to 0.0.0.0:80 failed", "critical", "bind() to 0.0.0.0:80 failed"),
        ("redis", "26:M 01 Mar 2026 11:59:59.123 * Ready to accept connections", "info", "Ready to accept connections"),
        ("redis", "26:M 01 Mar 2026 11:59:59.123 # Out of memory", "warning", "Out of memory"),
        ("supervisord", "2026-03-01 11:59:59,123 CRIT could not write pidfile", "critical", "could not write pidfile"),
        ("api_00", "ERROR:    Exception in ASGI application", "error", "Exception in ASGI application"),
        ("api_00", "something unheard of", "info", "something unheard of"),
    ],
)
def test_it_reads_each_programs_own_format(proc: str, line: str, level: str, msg: str) -> None:
    assert parse(proc, line, NOW) == {"ts": NOW, "level": level, "proc": proc, "msg": msg}


@pytest.mark.parametrize(
    ("msg", "level"),
    [
        ("INFO spawned: 'api_00' with pid 34", "debug"),
        ("INFO success: nginx entered RUNNING state", "debug"),
        ("WARN received SIGTERM indicating exit request", "debug"),
        ("WARN stopped: nginx (exit status 0)", "debug"),
        ("WARN stopped: nginx (terminated by SIGKILL)", "warning"),
        ("WARN exited: nginx (exit status 1; not expected)", "warning"),
        ("INFO gave up: nginx entered FATAL state, too many start retries too quickly", "warning"),
    ],
)
def test_supervisords_everyday_talk_is_for_debugging_and_its_bad_news_is_not(msg: str, level: str) -> None:
    assert parse("supervisord", f"2026-03-01 11:59:59,123 {msg}", NOW)["level"] == level


def test_a_connection_refused_while_the_database_starts_is_no_error() -> None:
    line = "2026-03-01 11:59:59.001 UTC [45] FATAL:  the database system is starting up"
    assert parse("postgres", line, NOW)["level"] == "info"


def test_it_keeps_what_a_json_line_says_about_itself() -> None:
    line = '{"ts": "2026-01-01T00:00:00Z", "level": "WARNING", "msg": "x", "request_id": "r1"}'
    assert parse("api_00", line, NOW) == {
        "ts": "2026-01-01T00:00:00Z", "level": "warning", "proc": "api_00", "msg": "x", "request_id": "r1",
    }  # fmt: skip


@pytest.mark.parametrize("line", ['{"broken": ', "{}}", '{"a": NaN, ]'])
def test_what_only_looks_like_json_is_a_plain_message(line: str) -> None:
    assert parse("api_00", line, NOW)["msg"] == line


def test_a_query_string_in_nginxs_error_log_is_left_out() -> None:
    line = '2026/03/01 11:59:59 [error] 7#7: *1 refused, request: "GET /x?token=s3cret HTTP/1.1", referrer: "https://h/?t=s3cret"'
    assert "s3cret" not in str(parse("nginx", line, NOW)["msg"])


def test_a_traceback_becomes_one_record_named_by_its_last_line() -> None:
    text = 'Traceback (most recent call last):\n  File "x.py", line 1\n    boom()\nValueError: boom'
    record = parse("sla-worker", text, NOW)
    assert (record["level"], record["msg"], record["trace"]) == ("error", "ValueError: boom", text)


def test_a_record_is_one_line_of_json_whatever_is_in_it() -> None:
    record = parse("api_00", 'a\u2028b\x1b[31m"quoted"', NOW)
    assert json.loads(as_json(record | {"agent": "x\r\ny"}))["agent"] == "x\r\ny"
    assert "\n" not in as_json(record | {"agent": "x\r\ny"})
    assert as_json(record | {"agent": "\x9b2J \x85 \u202e"}).isprintable()


def test_text_for_people_shows_no_control_characters_and_indents_what_pretends_to_be_a_line() -> None:
    text = as_text({"ts": NOW, "level": "info", "proc": "nginx", "msg": "GET /\x1b[2J\n12:00:00.000 ERROR fake", "client": "::1"})
    assert "\x1b" not in text
    assert text.splitlines()[1].startswith("    12:00:00.000 ERROR fake client=::1")
    assert text.startswith("12:00:00.123 INFO     nginx ")


def test_text_shows_last_lines_below_each_other() -> None:
    text = as_text({"ts": NOW, "level": "critical", "proc": "launcher", "msg": "failed", "last_lines": ["one", "two"]})
    assert text.splitlines()[1:] == ["    one", "    two"]


def test_lines_come_out_whole_however_the_bytes_arrive() -> None:
    lines = Lines()
    assert [*lines.feed(b"one\ntw"), *lines.feed(b"o\r\nthr"), *lines.feed(b"ee\n")] == ["one", "two", "three"]


def test_a_line_over_16_kb_is_cut_and_says_so_and_its_rest_is_thrown_away() -> None:
    lines = Lines()
    found = [*lines.feed(b"a" * (LIMIT + 1)), *lines.feed(b"a" * LIMIT), *lines.feed(b"a\nnext\n")]
    assert found[0].startswith("a" * LIMIT + " … (cut")
    assert found[1:] == ["next"]


def test_bytes_that_are_not_utf8_do_not_stop_the_log() -> None:
    assert list(Lines().feed(b"caf\xe9\n")) == ["caf\ufffd"]


def test_a_traceback_is_joined_up_to_the_line_that_names_the_error() -> None:
    said = ["Traceback (most recent call last):", '  File "x"', "    y()", "ValueError: z", "next"]
    assert joined(said) == ["\n".join(said[:4]), "next"]


def test_a_chained_traceback_stays_together() -> None:
    said = [
        "Traceback (most recent call last):", "  a", "KeyError: 1", "",
        "During handling of the above exception, another exception occurred:", "",
        "Traceback (most recent call last):", "  b", "ValueError: 2",
    ]  # fmt: skip
    assert joined([*said, "next"]) == ["\n".join(said), "next"]


def test_an_indented_line_belongs_to_the_one_before_it() -> None:
    assert joined(["LOG:  statement: SELECT", "\tFROM x", "LOG:  next"]) == ["LOG:  statement: SELECT\n\tFROM x", "LOG:  next"]


def test_a_json_line_is_never_held_back() -> None:
    assert list(Joiner().feed('{"msg": "now"}')) == ['{"msg": "now"}']


def joined(lines: list[str]) -> list[str]:
    joiner = Joiner()
    return [found for line in lines for found in joiner.feed(line)] + list(joiner.flush())
