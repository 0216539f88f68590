"""Deadlines under all that goes wrong at once: workers killed and frozen, Redis gone, PostgreSQL's clock put, its processes
killed. Each is told exactly once, by the test's own reckoning, and nothing is missed that was not missed.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.appliance.conftest import BOB
from tests.appliance.driver import Appliance, eventually
from tests.appliance.peers import CAROL

FAKETIME = """
ARG IMAGE
FROM debian:trixie-slim AS faketime
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libfaketime
RUN cp /usr/lib/*/faketime/libfaketime.so.1 /libfaketime.so.1
FROM ${IMAGE}
COPY --from=faketime /libfaketime.so.1 /libfaketime.so.1
"""
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
SETTINGS = {
    "DATABASE_URL": "postgresql://atum@postgres/postgres",
    "API_RATE": "200r/s",
    "API_BURST": "1000",
    "SLA_CHECK_INTERVAL": "5",
}
EVENTS = """
    SELECT c.ticket, c.cycle, e.threshold FROM sla_event e JOIN sla_clock c ON c.id = e.clock_id WHERE c.metric = 'first_response'
"""
BREACHES = """
    SELECT ticket, extract(epoch FROM breached_at) FROM sla_clock WHERE metric = 'first_response' AND breached_at IS NOT NULL
"""
TICKETS = """
    SELECT number, extract(epoch FROM accepted_at), extract(epoch FROM first_replied_at), priority FROM ticket
"""
SECOND = "echo $$ >/tmp/second-worker && exec /opt/venv/bin/python -m app.entry.sla_worker"
SHORT, LONG = 8, 1800  # seconds that an urgent and a high ticket may wait for an answer
KILLED = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sla-worker' LIMIT 1"


@dataclass
class Group:
    """Tickets that nobody answers, and as many that somebody answers as soon as they are there."""

    missed: list[int]
    answered: list[int]


class Desk:
    """A desk with two workers and a clock that can be put."""

    def __init__(self, appliance: Appliance) -> None:
        self.it = appliance
        self.root = appliance.signed_in()
        appliance.add(BOB, "manager")
        self.carol = appliance.add(CAROL, "customer")
        [policy, *_] = self.root.get("/sla/policies")["items"]
        self.root.patch(f"/sla/policies/{policy['id']}", {"targets": {"first_response": {"urgent": SHORT, "high": LONG}}})
        self.another_worker()

    def another_worker(self) -> None:
        words = ["docker", "exec", "-d", "-u", "app", self.it.container.id or "", "sh", "-c", SECOND]
        subprocess.run(words, check=True, capture_output=True)
        eventually(lambda: len(self.workers()) >= 2, within=20, otherwise=self.workers)

    def workers(self) -> list[list[str]]:
        return self.rows("SELECT DISTINCT backend_start FROM pg_stat_activity WHERE application_name = 'sla-worker bell'")

    def rows(self, query: str) -> list[list[str]]:
        done = self.it.compose(
            "exec", "-T", "postgres", "psql", "-h", "/tmp", "-U", "atum", "-d", "postgres", "-XAtF|", "-c", query
        )
        return [line.split("|") for line in done.splitlines()]

    def put_clock(self, offset: str) -> None:
        self.it.compose("exec", "-T", "postgres", "sh", "-c", f"echo {offset} >/tmp/clock.new && mv /tmp/clock.new /tmp/clock")
        self.root, self.carol = self.it.signed_in(), self.it.signed_in(CAROL)  # what was issued may have run out

    def second(self, signal: str) -> None:
        assert self.it.run("sh", "-c", f"kill -{signal} $(cat /tmp/second-worker)", user="app").code == 0

    def crash_postgres(self) -> None:
        """One of its processes dies without a word; it restarts all the others and recovers."""
        [[pid], *_] = self.rows(KILLED)
        self.it.compose("exec", "-T", "-u", "postgres", "postgres", "sh", "-c", f"kill -9 {pid}")
        eventually(self.answers, within=60)

    def answers(self) -> bool:
        """Whether PostgreSQL has recovered."""
        try:
            return self.rows("SELECT 1") == [["1"]]
        except RuntimeError:
            return False

    def open(self, many: int, *, priority: str = "urgent") -> Group:
        answered = [self._open(priority, answered=True) for _ in range(many)]
        return Group([self._open(priority) for _ in range(many)], answered)

    def _open(self, priority: str, *, answered: bool = False) -> int:
        made = self.carol.post("/tickets", {"subject": "The roof is gone", "body": "Hurry"})
        self.root.patch(f"/tickets/{made['number']}", {"priority": priority})
        if made["status"] == "new":
            self.root.post(f"/tickets/{made['number']}/acceptance")
        if answered:
            self.root.post(f"/tickets/{made['number']}/messages", {"body": "We look at it."})
        return int(made["number"])

    def breached(self, numbers: list[int]) -> bool:
        listed = ", ".join(map(str, numbers))
        query = (
            f"SELECT count(*) FROM sla_clock WHERE metric = 'first_response' AND breached_at IS NOT NULL AND ticket IN ({listed})"
        )
        return self.rows(query) == [[str(len(numbers))]]

    def until_breached(self, group: Group, within: float = 60) -> None:
        eventually(lambda: self.breached(group.missed), within=within, otherwise=lambda: self.it.logs()[-2000:])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    image = os.environ.get("ATUM_TEST_IMAGE", "atum-desk:latest")
    clocked = "atum-desk-faketime:test"
    build = ["docker", "build", "-q", "-t", clocked, "--build-arg", f"IMAGE={image}", "-"]
    subprocess.run(build, input=FAKETIME, text=True, check=True, capture_output=True)
    appliance = Appliance(tmp_path, settings=SETTINGS, services=POSTGRES.format(image=clocked))
    try:
        yield Desk(appliance.up())
    finally:
        appliance.down()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("many", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_every_deadline_is_told_exactly_once_whatever_happens(desk: Desk, many: int) -> None:
    groups = [desk.open(many)]
    desk.second("STOP")  # in the middle of whatever it does, for longer than anybody would wait for it
    desk.it.until_replaced("sla-worker", desk.it.signal("sla-worker"))
    desk.until_breached(groups[-1])

    desk.it.signal("redis", 19)
    groups.append(desk.open(many))
    desk.until_breached(groups[-1])
    desk.it.signal("redis", 9)

    groups.append(desk.open(many, priority="high"))
    assert not desk.breached(groups[-1].missed)
    desk.put_clock("+3600")
    desk.until_breached(groups[-1])
    eventually(lambda: "put forward" in reason(desk), within=20, otherwise=lambda: desk.it.parts()["sla"])
    desk.second("CONT")

    groups.append(desk.open(many))
    desk.put_clock("+0")
    eventually(lambda: "put back" in reason(desk), within=20, otherwise=lambda: desk.it.parts()["sla"])
    groups.append(desk.open(many))
    desk.until_breached(groups[-1])

    groups.append(desk.open(many))
    desk.crash_postgres()
    desk.until_breached(groups[-1])

    desk.put_clock("+3600")  # when what was opened in the hour that was taken back is due
    desk.until_breached(groups[3])
    proved(desk, groups)


def reason(desk: Desk) -> str:
    return str(desk.it.parts()["sla"].get("reason"))


def proved(desk: Desk, groups: list[Group]) -> None:
    """By the test's own reckoning, of when each was accepted and answered: who waited too long was told of once, no one else."""
    missed, reckoned = set(), {}
    for ticket, accepted, answered, priority in desk.rows(TICKETS):
        promised = LONG if priority == "high" else SHORT
        if not answered or float(answered) - float(accepted) > promised:
            missed.add(int(ticket))
            reckoned[int(ticket)] = f"{float(accepted) + promised:.3f}"
    assert missed >= {number for group in groups for number in group.missed}
    assert len(missed) < sum(len(group.missed) + len(group.answered) for group in groups)
    told = Counter((int(ticket), cycle, threshold) for ticket, cycle, threshold in desk.rows(EVENTS))
    assert set(told.values()) == {1}
    assert {ticket for ticket, _, threshold in told if threshold == "100%"} == missed
    assert {int(ticket): f"{float(at):.3f}" for ticket, at in desk.rows(BREACHES)} == reckoned
    eventually(lambda: len(letters(desk)) >= len(missed), within=60, otherwise=lambda: len(letters(desk)))
    assert sorted(letters(desk)) == sorted(missed)
    assert desk.it.atum("sla", "verify").startswith("0 differences among ")


def letters(desk: Desk) -> list[int]:
    """The tickets of which Bob was mailed that their first response was missed, as his mail server has them."""
    subjects = [str(mail["Subject"]) for mail in desk.it.mail.inbox(BOB)]
    return [int(subject.rpartition(" ")[2]) for subject in subjects if subject.startswith("Deadline missed: first response")]
