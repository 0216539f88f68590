"""A desk whose clock can be put, with two workers; and what is missed there, reckoned by the test from what was said when."""

import os
import subprocess
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.appliance.conftest import BOB
from tests.appliance.driver import Appliance, eventually
from tests.appliance.peers import CAROL

# The image beside a library that has a process see the time of a file.
CLOCKED = """
ARG IMAGE
FROM debian:trixie-slim AS faketime
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libfaketime
RUN cp /usr/lib/*/faketime/libfaketime.so.1 /libfaketime.so.1
FROM ${IMAGE}
COPY --from=faketime /libfaketime.so.1 /libfaketime.so.1
"""
SETTINGS = {"API_RATE": "200r/s", "API_BURST": "1000", "LOGIN_RATE": "50r/s", "LOGIN_BURST": "100", "SLA_CHECK_INTERVAL": "5"}
SECOND = "echo $$ >/tmp/second-worker && exec /opt/venv/bin/python -m app.entry.sla_worker"

TICKETS = "SELECT number, priority, accepted_at FROM ticket"
MESSAGES = "SELECT ticket, from_staff, created_at FROM message WHERE NOT internal AND NOT auto ORDER BY id"
BREACHES = "SELECT ticket, metric, cycle, breached_at FROM sla_clock WHERE breached_at IS NOT NULL"
EVENTS = """
    SELECT c.ticket, c.metric, e.cycle, e.threshold, e.at, e.detected_at FROM sla_event e JOIN sla_clock c ON c.id = e.clock_id
"""
METRICS = {"first_response": "first response", "next_response": "next response"}

Owed = tuple[int, str, int]  # a ticket, a metric and its cycle
Deadline = Callable[[str, datetime, float], datetime]  # by a priority, when so much (1.0 is all) of what is promised is over


def clocked(name: str, more: str = "") -> str:
    """The image with the library, by this name."""
    image = os.environ.get("ATUM_TEST_IMAGE", "atum-desk:latest")
    build = ["docker", "build", "-q", "-t", name, "--build-arg", f"IMAGE={image}", "-"]
    subprocess.run(build, input=CLOCKED + more, text=True, check=True, capture_output=True)
    return name


@dataclass
class Group:
    """Tickets that nobody answers, and as many that somebody answers as soon as they are there."""

    missed: list[int]
    answered: list[int]


class Desk:
    """A desk with two workers. Bob is told of what is missed; Carol asks, and the administrator answers."""

    def __init__(self, appliance: Appliance) -> None:
        self.it = appliance
        self.root = appliance.signed_in()
        appliance.add(BOB, "manager")
        self.carol = appliance.add(CAROL, "customer")
        self.another_worker()

    @abstractmethod
    def rows(self, query: str) -> list[list[str]]:
        """What the database answers, as text."""

    def promise(self, targets: dict[str, dict[str, Any]]) -> None:
        [policy, *_] = self.root.get("/sla/policies")["items"]
        self.root.patch(f"/sla/policies/{policy['id']}", {"targets": targets})

    def another_worker(self) -> None:
        words = ["docker", "exec", "-d", "-u", "app", self.it.container.id or "", "sh", "-c", SECOND]
        subprocess.run(words, check=True, capture_output=True)
        eventually(lambda: len(self.workers()) >= 2, within=20, otherwise=self.workers)

    def workers(self) -> list[list[str]]:
        return self.rows("SELECT DISTINCT backend_start FROM pg_stat_activity WHERE application_name = 'sla-worker bell'")

    def second(self, signal: str) -> None:
        """A signal for the worker that supervisord knows nothing of."""
        assert self.it.run("sh", "-c", f"kill -{signal} $(cat /tmp/second-worker)", user="app").code == 0

    def sign_in_again(self) -> None:
        """What was issued runs out where a clock is put."""
        self.root, self.carol = self.it.signed_in(), self.it.signed_in(CAROL)

    def answers(self) -> bool:
        """Whether PostgreSQL is there."""
        try:
            return self.rows("SELECT 1") == [["1"]]
        except (RuntimeError, AssertionError):
            return False

    def now(self) -> datetime:
        return datetime.fromisoformat(self.rows("SELECT now()")[0][0])

    def open(self, many: int, *, priority: str = "urgent") -> Group:
        answered = [self._open(priority, answered=True) for _ in range(many)]
        return Group([self._open(priority) for _ in range(many)], answered)

    def _open(self, priority: str, *, answered: bool = False) -> int:
        made = self.carol.post("/tickets", {"subject": "The roof is gone", "body": "Hurry"})
        self.root.patch(f"/tickets/{made['number']}", {"priority": priority})
        if made["status"] == "new":
            self.root.post(f"/tickets/{made['number']}/acceptance")
        if answered:
            self.answer(made["number"])
        return int(made["number"])

    def answer(self, number: int) -> None:
        self.root.post(f"/tickets/{number}/messages", {"body": "We look at it."})

    def ask(self, number: int) -> None:
        self.carol.post(f"/tickets/{number}/messages", {"body": "And now?"})

    def reason(self) -> str:
        """Why health is not pleased with the clocks."""
        return str(self.it.parts()["sla"].get("reason"))

    def breached(self, numbers: Iterable[int]) -> bool:
        """Whether the first answer of all these is known to be missed."""
        known = {int(ticket) for ticket, metric, *_ in self.rows(BREACHES) if metric == "first_response"}
        return known >= set(numbers)

    def until_breached(self, group: Group, within: float = 60) -> None:
        eventually(lambda: self.breached(group.missed), within=within, otherwise=lambda: self.it.logs()[-2000:])


@dataclass(frozen=True)
class Wait:
    """Somebody waits for an answer: since when, until when (None: still), and how long that may be."""

    owed: Owed
    priority: str
    since: datetime
    until: datetime | None

    def over(self, at: datetime, now: datetime) -> bool:
        """Whether they still wait at an instant that has come."""
        return at <= now and (self.until is None or self.until > at)


def waits(desk: Desk) -> Iterator[Wait]:
    """From what was said when, and nothing of what the engine knows.

    Where a clock was put back, nothing is earlier than what was said before.
    """
    said: dict[int, list[tuple[bool, datetime]]] = {}
    for ticket, by_staff, when in desk.rows(MESSAGES):
        said.setdefault(int(ticket), []).append((by_staff == "t", datetime.fromisoformat(when)))
    for ticket, priority, accepted in desk.rows(TICKETS):
        number, cycle, metric = int(ticket), 1, "first_response"
        last = datetime.fromisoformat(accepted)
        since: datetime | None = last
        for from_staff, shown in said[number][1:]:
            at = last = max(shown, last)
            if from_staff and since is not None:
                yield Wait((number, metric, cycle), priority, since, at)
                cycle, metric, since = cycle + (metric == "next_response"), "next_response", None
            elif not from_staff and since is None:
                since = at
        if since is not None:
            yield Wait((number, metric, cycle), priority, since, None)


def missed(desk: Desk, deadline: Deadline, now: datetime) -> dict[Owed, datetime]:
    """What nobody did by when it was due, by the test's own reckoning."""
    due = {wait: deadline(wait.priority, wait.since, 1.0) for wait in waits(desk)}
    return {wait.owed: at for wait, at in due.items() if wait.over(at, now)}


def known(desk: Desk) -> dict[Owed, datetime]:
    """What the engine says was missed, and when it was due."""
    return {(int(ticket), metric, int(cycle)): datetime.fromisoformat(at) for ticket, metric, cycle, at in desk.rows(BREACHES)}


def proved(desk: Desk, groups: list[Group], deadline: Deadline) -> None:
    """Whoever waited too long was told of once, by row and by letter, and nobody else; and a replay finds the same."""
    now = desk.now()
    expected = missed(desk, deadline, now)
    rounded = timedelta(milliseconds=1)
    assert {owed[0] for owed in expected} >= {number for group in groups for number in group.missed}
    assert any(wait.owed not in expected for wait in waits(desk))
    assert known(desk).keys() == expected.keys()
    assert all(abs(at - expected[owed]) < rounded for owed, at in known(desk).items())

    told: Counter[tuple[int, str, int, str]] = Counter()
    for ticket, metric, cycle, threshold, at, detected_at in desk.rows(EVENTS):
        told[int(ticket), metric, int(cycle), threshold] += 1
        assert datetime.fromisoformat(detected_at) >= datetime.fromisoformat(at)
    near = {wait.owed for wait in waits(desk) if wait.over(deadline(wait.priority, wait.since, 0.75), now)}
    assert told == Counter({(*owed, "100%"): 1 for owed in expected} | {(*owed, "75%"): 1 for owed in near})

    subjects = Counter(f"Deadline missed: {METRICS[metric]} of ticket {ticket}" for ticket, metric, _ in expected)
    eventually(lambda: letters(desk).total() >= subjects.total(), within=90, otherwise=lambda: subjects - letters(desk))
    assert letters(desk) == subjects
    assert desk.it.atum("sla", "verify").startswith("0 differences among ")


def letters(desk: Desk) -> Counter[str]:
    """What Bob was mailed of deadlines, as his mail server has it."""
    subjects = (str(mail["Subject"]) for mail in desk.it.mail.inbox(BOB))
    return Counter(subject for subject in subjects if subject.startswith("Deadline missed: "))
