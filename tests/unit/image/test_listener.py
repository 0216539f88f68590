"""The listener told the stories that supervisord tells, with the killing and the asking replaced."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.image.scripts import IMAGE, script

listener = script("listener")


class Killed(list[tuple[int, int]]):
    """Every signal that was sent."""


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Killed:
    sent = Killed()
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(listener, "_status", lambda _pid: ["S", str(os.getppid())])
    monkeypatch.setattr(listener, "PROBES", {})
    return sent


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "app/heartbeat").mkdir(parents=True)
    return tmp_path


def tell(one: Any, event: str, program: str, now: float = 1000.0, **more: object) -> None:
    said = {"processname": program, "groupname": "g", "from_state": "X"} | {key: str(value) for key, value in more.items()}
    one.handle(event, said, now)


def test_a_program_that_cannot_be_started_leaves_a_verdict_and_supervisord_is_asked_to_end(run: Path, killed: Killed) -> None:
    tell(listener.Listener(run), "PROCESS_STATE_FATAL", "nginx")
    assert json.loads((run / "verdict.json").read_text()) == {
        "code": 70,
        "program": "nginx",
        "message": "it could not be started",
    }
    assert killed == [(os.getppid(), signal.SIGTERM)]


def test_an_early_crash_and_a_late_one_both_count(run: Path, killed: Killed) -> None:
    one = listener.Listener(run)
    for n in range(4):
        tell(one, "PROCESS_STATE_EXITED" if n % 2 else "PROCESS_STATE_BACKOFF", "redis", now=1000.0 + n, expected=0)
    assert killed == []
    tell(one, "PROCESS_STATE_EXITED", "redis", now=1004.0, expected=0)
    assert killed == [(os.getppid(), signal.SIGTERM)]


def test_boot_may_end_as_expected(run: Path, killed: Killed) -> None:
    tell(listener.Listener(run), "PROCESS_STATE_EXITED", "boot", expected=1)
    assert not (run / "verdict.json").exists()
    assert killed == []


def test_the_first_verdict_stands(run: Path, killed: Killed) -> None:
    one = listener.Listener(run)
    tell(one, "PROCESS_STATE_EXITED", "boot", expected=0)
    tell(one, "PROCESS_STATE_FATAL", "nginx")
    assert json.loads((run / "verdict.json").read_text())["program"] == "boot"


def test_a_stuck_worker_is_killed_and_an_active_one_is_not(run: Path, killed: Killed) -> None:
    one = listener.Listener(run)
    (run / "app/ready").touch()
    for name, pid in (("sla-worker", 11), ("mail-poller", 12)):
        tell(one, "PROCESS_STATE_RUNNING", name, pid=pid)
        beat(run, name, 5000.0)
    for n in range(7):
        assert killed == []
        beat(run, "mail-poller", 5000.0 + n)
        one.handle("TICK_5", {"when": "1"}, 1000.0 + 5 * n)
    assert killed == [(11, signal.SIGKILL)]


def test_a_server_that_does_not_answer_three_times_in_a_row_is_killed(
    run: Path, killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PROBES", {"redis": lambda: False})
    one = listener.Listener(run)
    tell(one, "PROCESS_STATE_RUNNING", "redis", pid=21)
    for n in range(3):
        assert killed == []
        one.handle("TICK_5", {"when": "1"}, 1000.0 + n)
    assert killed == [(21, signal.SIGKILL)]


def test_a_stopped_process_is_frozen_even_if_its_children_answer(
    run: Path, killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PROBES", {"nginx": lambda: True})
    monkeypatch.setattr(listener, "_status", lambda _pid: ["T", str(os.getppid())])
    one = listener.Listener(run)
    tell(one, "PROCESS_STATE_RUNNING", "nginx", pid=31)
    for n in range(3):
        one.handle("TICK_5", {"when": "1"}, 1000.0 + n)
    assert killed == [(31, signal.SIGKILL)]


def test_a_number_that_is_somebody_elses_by_now_is_not_killed(run: Path, killed: Killed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "PROBES", {"redis": lambda: False})
    monkeypatch.setattr(listener, "_status", lambda _pid: ["S", "1"])
    one = listener.Listener(run)
    tell(one, "PROCESS_STATE_RUNNING", "redis", pid=21)
    for n in range(3):
        one.handle("TICK_5", {"when": "1"}, 1000.0 + n)
    assert killed == []


def test_a_listener_that_was_killed_goes_on_where_it_was(run: Path, killed: Killed) -> None:
    before = listener.Listener(run)
    tell(before, "PROCESS_STATE_RUNNING", "redis", pid=21)
    for n in range(4):
        tell(before, "PROCESS_STATE_EXITED", "redis", now=1000.0 + n, expected=0)
    tell(listener.Listener(run), "PROCESS_STATE_EXITED", "redis", now=1005.0, expected=0)
    assert killed == [(os.getppid(), signal.SIGTERM)]


def test_what_it_writes_is_for_root_alone(run: Path, killed: Killed) -> None:
    tell(listener.Listener(run), "PROCESS_STATE_FATAL", "nginx")
    assert {path.stat().st_mode & 0o777 for path in (run / "verdict.json", run / "programs.json")} == {0o600}


def test_anybody_may_read_how_often_each_program_began_and_a_new_listener_goes_on_counting(run: Path, killed: Killed) -> None:
    one = listener.Listener(run)
    for pid in (21, 22):
        tell(one, "PROCESS_STATE_RUNNING", "redis", pid=pid)
    tell(listener.Listener(run), "PROCESS_STATE_RUNNING", "redis", pid=23)
    assert json.loads((run / "starts.json").read_text()) == {"redis": 3}
    assert (run / "starts.json").stat().st_mode & 0o777 == 0o644


def test_it_imports_nothing_of_the_application() -> None:
    text = (IMAGE / "listener").read_text()
    assert "from app" not in text
    assert "import app" not in text


def beat(run: Path, name: str, at: float) -> None:
    mark = run / "app/heartbeat" / name
    mark.write_text("11")
    os.utime(mark, (at, at))
