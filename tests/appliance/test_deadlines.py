"""Deadlines under all that goes wrong at once: workers killed and frozen, Redis gone, PostgreSQL's clock put, its processes
killed. Each is told exactly once, by the test's own reckoning, and nothing is missed that was not missed.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.appliance.driver import Appliance, eventually
from tests.appliance.promises import SETTINGS, Desk, clocked, proved

# A PostgreSQL whose clock is what a file says; the desk's own processes keep the right time, and must not care.
POSTGRES = """
  postgres:
    image: {image}
    user: postgres
    entrypoint: ["sh", "-c"]
    environment: {{PATH: "/usr/lib/postgresql/17/bin:/usr/bin:/bin"}}
    command:
      - initdb -D /tmp/pg -U atum -A trust -N >/dev/null && echo 'host all all all trust' >>/tmp/pg/pg_hba.conf &&
        echo +0 >/tmp/clock && LD_PRELOAD=/libfaketime.so.1 FAKETIME_TIMESTAMP_FILE=/tmp/clock FAKETIME_NO_CACHE=1
        DONT_FAKE_MONOTONIC=1 exec postgres -D /tmp/pg -c listen_addresses='*' -c unix_socket_directories=/tmp
    tmpfs: ["/tmp:exec"]
    healthcheck: {{test: ["CMD", "pg_isready", "-h", "/tmp"], interval: 1s}}
    stop_signal: SIGINT
"""
SHORT, LONG = 5, 1800  # seconds that an urgent and a high ticket may wait for an answer
KILLED = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sla-worker' LIMIT 1"


class Elsewhere(Desk):
    """A desk whose database is in another container, with a clock of its own."""

    def rows(self, query: str) -> list[list[str]]:
        done = self.it.compose(
            "exec", "-T", "postgres", "psql", "-h", "/tmp", "-U", "atum", "-d", "postgres", "-XAtF|", "-c", query
        )
        return [line.split("|") for line in done.splitlines()]

    def put_clock(self, offset: str) -> None:
        self.it.compose("exec", "-T", "postgres", "sh", "-c", f"echo {offset} >/tmp/clock.new && mv /tmp/clock.new /tmp/clock")
        self.sign_in_again()

    def crash_postgres(self) -> None:
        """One of its processes dies without a word; it restarts all the others and recovers."""
        [[pid], *_] = self.rows(KILLED)
        self.it.compose("exec", "-T", "-u", "postgres", "postgres", "sh", "-c", f"kill -9 {pid}")
        eventually(self.answers, within=60)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Elsewhere]:
    image = clocked("atum-desk-faketime:test")
    appliance = Appliance(
        tmp_path,
        settings=SETTINGS | {"DATABASE_URL": "postgresql://atum@postgres/postgres"},
        services=POSTGRES.format(image=image),
    )
    try:
        desk = Elsewhere(appliance.up())
        desk.promise({"first_response": {"urgent": SHORT, "high": LONG}})
        yield desk
    finally:
        appliance.down()


def deadline(priority: str, since: datetime, share: float) -> datetime:
    return since + share * timedelta(seconds=LONG if priority == "high" else SHORT)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("many", [1, pytest.param(100, marks=pytest.mark.slow)])
def test_every_deadline_is_told_exactly_once_whatever_happens(desk: Elsewhere, many: int) -> None:
    groups = [desk.open(many)]
    desk.second("STOP")  # in the middle of whatever it does, for longer than anybody would wait for it
    frozen = desk.it.signal("redis", 19)
    desk.it.until_replaced("sla-worker", desk.it.signal("sla-worker"))
    desk.until_breached(groups[-1])
    desk.it.run("sh", "-c", f"kill -9 {frozen}")  # if nobody has found it frozen by now

    groups.append(desk.open(many, priority="high"))
    assert not desk.breached(groups[-1].missed)
    desk.put_clock("+3600")
    desk.until_breached(groups[-1])
    eventually(lambda: "put forward" in desk.reason(), within=20, otherwise=lambda: desk.it.parts()["sla"])
    desk.second("CONT")

    groups.append(desk.open(many))
    desk.put_clock("+0")
    eventually(lambda: "put back" in desk.reason(), within=20, otherwise=lambda: desk.it.parts()["sla"])
    groups.append(desk.open(many))
    desk.until_breached(groups[-1])

    groups.append(desk.open(many))
    desk.crash_postgres()
    desk.until_breached(groups[-1])

    desk.put_clock("+3600")  # when what was opened in the hour that was taken back is due
    desk.until_breached(groups[2])
    proved(desk, groups, deadline)
    assert desk.it.figure('atum_sla_lateness_seconds_count{kind="breach"}') > 0
