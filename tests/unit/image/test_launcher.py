"""How the launcher finds the logs to read and the reason to end with."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.image.scripts import script

launcher = script("launcher")


@pytest.fixture
def one(tmp_path: Path) -> Any:
    made = launcher.Launcher({"RUN_DIR": str(tmp_path)})
    yield made
    made.pump.close()


def test_it_reads_a_log_for_each_process_of_a_program() -> None:
    conf = "[fcgi-program:api]\nnumprocs=3\nstdout_logfile=/run/log/api_%(process_num)02d\nstdout_logfile_maxbytes=0\n"
    assert launcher.Launcher.log_paths(conf) == ["/run/log/api_00", "/run/log/api_01", "/run/log/api_02"]


def test_an_event_listener_has_its_log_on_stderr() -> None:
    conf = "[eventlistener:listener]\nstderr_logfile=/run/log/listener\nstderr_logfile_maxbytes=0\n"
    assert launcher.Launcher.log_paths(conf) == ["/run/log/listener"]


def test_boots_own_verdict_goes_before_the_listeners(one: Any, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "verdict.json").write_text('{"code": 70, "program": "boot", "message": "it ended without saying why"}')
    assert one.verdict()["code"] == 70
    (tmp_path / "app/verdict.json").write_text('{"code": 75, "program": "boot", "message": "a migration failed"}')
    assert one.verdict() == {"code": 75, "program": "boot", "message": "a migration failed"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '"75"',
        '{"code": 75}',
        '{"code": 0, "program": "x", "message": "all is well"}',
        '{"code": [], "program": 1}',
        "\xff",
    ],
)
def test_a_verdict_that_makes_no_sense_is_none(one: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/verdict.json").write_text(content)
    assert one.verdict() is None


def test_a_program_that_failed_is_named_with_its_last_lines(monkeypatch: pytest.MonkeyPatch, one: Any, tmp_path: Path) -> None:
    said: list[dict[str, object]] = []
    monkeypatch.setattr(one.pump, "say", lambda msg, **more: said.append({"msg": msg} | more))
    monkeypatch.setattr(one.pump, "tail", lambda program: [f"the last words of {program}"])
    assert one.failed("redis", "it died 5 times within 120 s") == 70
    assert said == [{
        "msg": "redis failed for good: it died 5 times within 120 s", "level": "critical", "program": "redis", "exit_code": 70,
        "last_lines": ["the last words of redis"],
    }]  # fmt: skip
    json.dumps(said)


@pytest.mark.parametrize("trick", ["pipe", "link", "folder"])
def test_what_the_desks_user_puts_in_its_place_neither_holds_up_nor_leads_astray(one: Any, tmp_path: Path, trick: str) -> None:
    place = tmp_path / "app/verdict.json"
    place.parent.mkdir()
    if trick == "pipe":
        os.mkfifo(place)
    elif trick == "link":
        place.symlink_to("/dev/zero")
    else:
        place.mkdir()
    assert one.verdict() is None


def test_the_desks_user_can_not_say_that_a_program_failed(one: Any, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/verdict.json").write_text('{"code": 70, "program": "nginx", "message": "made up"}')
    assert one.verdict() is None
