"""The demo's one line, and the commands it is tried with, as the README tells them."""

import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.appliance.client import Client
from tests.appliance.driver import ROOT, eventually

Compose = Callable[..., str]


@pytest.fixture(scope="module")
def demo() -> Iterator[Compose]:
    """docker compose -f compose.demo.yaml, up and waiting for visitors, on ports of its own."""
    project = f"atum-test-{uuid.uuid4().hex[:8]}"
    env = {**os.environ, "HTTP_PORT": "127.0.0.1:0", "HTTPS_PORT": "127.0.0.1:0", "ATUM_URL": "https://localhost"}

    def compose(*words: str) -> str:
        command = ["docker", "compose", "-f", str(ROOT / "compose.demo.yaml"), "-p", project, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL).stdout

    try:
        compose("up", "-d", "--wait", "--no-build")
        yield compose
    finally:
        compose("down", "-v", "-t", "0")


@pytest.fixture(scope="module")
def manager(demo: Compose) -> Iterator[Client]:
    """Signed in as the log says."""
    found = re.search(r"demo sign-in: (bruno@desk\.example) +password (\S+)", demo("logs", "desk"))
    assert found
    with Client(f"https://localhost:{demo('port', 'desk', '443').strip().rpartition(':')[2]}") as client:
        yield client.sign_in(found[1], found[2])


def test_it_has_tickets_in_every_status(manager: Client) -> None:
    statuses = {ticket["status"] for ticket in manager.tickets()}
    assert statuses == {"new", "accepted", "in_progress", "waiting_customer", "resolved", "closed", "cancelled"}


def test_what_a_visitor_writes_becomes_a_ticket_and_the_answer_can_be_read_and_answered(demo: Compose, manager: Client) -> None:
    said = demo("exec", "-T", "mail", "write", "My printer burns", "Please help, it is on fire.")
    assert "carol@example.net" in said
    eventually(lambda: [one for one in manager.tickets() if one["subject"] == "My printer burns"], within=20)
    [ticket] = [one for one in manager.tickets() if one["subject"] == "My printer burns"]
    manager.post(f"/tickets/{ticket['number']}/acceptance")
    manager.post(f"/tickets/{ticket['number']}/messages", {"body": "Pull the plug!"})
    eventually(lambda: "Pull the plug!" in demo("exec", "-T", "mail", "inbox"), within=20)
    demo("exec", "-T", "mail", "answer", "It is out, thank you.")
    eventually(lambda: len(manager.get(f"/tickets/{ticket['number']}/messages")["items"]) == 3, within=20)


def test_writing_as_somebody_else_is_as_easy(demo: Compose) -> None:
    assert "dave@example.net" in demo("exec", "-T", "mail", "write", "Me too", "Mine smokes.", "--from", "dave@example.net")
    eventually(lambda: "We received your message" in demo("exec", "-T", "mail", "inbox", "dave@example.net"), within=20)
