"""Health says what is true, in words, and never that all is well while something required is down."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app import config
from app.config import Settings
from app.core import clock
from app.db.redis import Counters
from app.db.session import Database
from app.ops import health, migrate, warnings
from app.ops.health import DEGRADED, DOWN, OK, Part, Watch
from app.ops.models import Warned

PROGRAMS = ("api_00", "sla-worker", "mail-poller", "outbox-sender")


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    environ = {"DATABASE_URL": database.dsn, "RUN_DIR": str(tmp_path), "DATA_DIR": str(tmp_path), "WEB_CONCURRENCY": "1"}
    in_a_year = (clock.now() + timedelta(days=365)).isoformat()
    (tmp_path / "tls.json").write_text(json.dumps({"mode": "self-signed", "not_after": in_a_year, "problem": None}))
    return config.load(environ, secrets=tmp_path / "none")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as running:
        yield running
        running.kill()


@pytest.fixture
def marks(settings: Settings, process: subprocess.Popen[bytes]) -> Path:
    folder = settings.app_run / "heartbeat"
    folder.mkdir(parents=True)
    (settings.app_run / "ready").write_text(migrate.head())
    for program in PROGRAMS:
        (folder / program).write_text(str(process.pid))
    return folder


class Answering(Counters):
    """Counters whose Redis is there."""

    def alive(self) -> bool:
        return True


def report(settings: Settings, database: Database, counters: Counters | None = None) -> health.Report:
    return Watch(settings, database, counters or Answering("redis://127.0.0.1:1")).report()


@pytest.mark.usefixtures("marks")
def test_a_desk_with_everything_in_place_is_healthy(settings: Settings, database: Database) -> None:
    found = report(settings, database)
    assert (found.status, found.http_status) == ("healthy", 200), found.parts


@pytest.mark.usefixtures("marks")
def test_without_redis_it_works_on_and_says_so(settings: Settings, database: Database) -> None:
    found = report(settings, database, Counters("redis://127.0.0.1:1"))
    assert (found.status, found.http_status) == ("degraded", 200)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_that_is_gone_is_required(settings: Settings, database: Database, marks: Path, program: str) -> None:
    (marks / program).unlink()
    found = report(settings, database)
    assert (found.status, found.http_status) == ("unhealthy", 503)


def test_a_stopped_process_is_noticed_at_once(settings: Settings, marks: Path, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    assert health.beating(marks / "sla-worker") == Part(
        DOWN, "Its process is stopped.", {"heartbeat_age": pytest.approx(0, abs=5)}
    )


def test_a_dead_process_is_noticed_however_fresh_its_mark_is(marks: Path, process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert health.beating(marks / "sla-worker").status == DOWN


def test_a_loop_that_is_stuck_is_noticed_by_the_age_of_its_mark(marks: Path) -> None:
    long_ago = clock.epoch() - health.BEAT_MOST - 1
    os.utime(marks / "mail-poller", (long_ago, long_ago))
    part = health.beating(marks / "mail-poller")
    assert part.status == DOWN
    assert "no sign of life" in (part.reason or "")


@pytest.mark.usefixtures("marks")
def test_a_database_that_is_gone_is_told_and_takes_nothing_else_down_with_it(settings: Settings, database: Database) -> None:
    gone = config.load({"DATABASE_URL": "postgresql://127.0.0.1:1/x", "RUN_DIR": str(settings.run_dir), "DATA_DIR": "/tmp"})
    found = Watch(gone, database, Answering("redis://127.0.0.1:1")).report()
    assert found.http_status == 503
    assert found.parts["database"].status == DOWN
    assert found.parts["sla_worker"].status == OK


@pytest.mark.usefixtures("marks")
def test_an_expired_certificate_is_told_in_words(settings: Settings, database: Database) -> None:
    state = {"mode": "files", "not_after": (clock.now() - timedelta(days=1)).isoformat(), "problem": "tls.crt expired yesterday."}
    (settings.run_dir / "tls.json").write_text(json.dumps(state))
    found = report(settings, database)
    assert found.status == "degraded"
    assert found.parts["tls"].reason == "tls.crt expired yesterday."


def test_a_certificate_that_needs_somebody_is_warned_of_as_long_as_it_does(settings: Settings, database: Database) -> None:
    told = settings.run_dir / "tls.json"
    for problem in ("tls.key is not the key of tls.crt.", None):
        told.write_text(json.dumps({"mode": "files", "not_after": "2100-01-01T00:00:00+00:00", "problem": problem}))
        with database.transaction() as s:
            warnings.look(s, settings)
            found = s.scalars(select(Warned).where(Warned.name == "certificate")).all()
            assert [row.words for row in found] == [problem] * bool(problem)


@pytest.mark.usefixtures("marks")
def test_a_certificate_that_runs_out_some_day_is_told_and_degrades_nothing(settings: Settings, database: Database) -> None:
    state = {"mode": "files", "not_after": (clock.now() + timedelta(days=20)).isoformat(), "hint": "tls.crt expires in March."}
    (settings.run_dir / "tls.json").write_text(json.dumps(state))
    found = report(settings, database)
    assert (found.status, found.parts["tls"].reason) == ("healthy", "tls.crt expires in March.")


@pytest.mark.usefixtures("marks")
def test_one_that_expired_since_it_was_looked_at_is_told(settings: Settings, database: Database) -> None:
    (settings.run_dir / "tls.json").write_text(json.dumps({"mode": "files", "not_after": "2026-01-02T00:00:00+00:00"}))
    assert report(settings, database).parts["tls"].reason == "The certificate expired on 2026-01-02."


@pytest.mark.usefixtures("marks")
def test_strangers_are_told_the_status_and_no_more(settings: Settings, database: Database) -> None:
    found = report(settings, database)
    assert set(found.told(whole=False)) == {"status", "timestamp", "version"}
    assert set(found.told(whole=True)["components"]) == {
        "database", "audit", "redis", "migrations", "disk", "tls", "api",
        "sla_worker", "mail_poller", "outbox_sender", "mailboxes", "outbox", "sla", "backup",
    }  # fmt: skip


def test_anything_required_that_is_down_makes_it_unhealthy() -> None:
    for name in health.REQUIRED:
        assert health.overall({name: Part(DOWN), "redis": Part(OK)}) == "unhealthy"
    assert health.overall({"database": Part(OK), "redis": Part(DEGRADED)}) == "degraded"
