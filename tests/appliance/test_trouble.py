"""PostgreSQL and names in trouble: who asks is told so in seconds and in words, and it is over when the trouble is."""

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.appliance.client import Client
from tests.appliance.conftest import Make
from tests.appliance.driver import Appliance, eventually

TICKET = {"subject": "In trouble", "body": "Does it fit?"}
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'atum'"
END_SLEEPERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%' AND usename = 'postgres'"


def owner(desk: Appliance, *statements: str) -> list[str]:
    """psql, as PostgreSQL's own superuser."""
    each = [word for statement in statements for word in ("-c", statement)]
    ran = ["docker", "exec", "-u", "postgres", desk.container.id or "", "psql", "-h", "/run/postgresql", "-d", "atum", "-XAt"]
    return [*ran, *each]


def told(desk: Appliance, *statements: str) -> None:
    subprocess.run(owner(desk, *statements), check=True, capture_output=True)


def write(client: Client) -> tuple[int, str | None, float]:
    """One more ticket: the answer, when to come again, and how long that took."""
    began = time.monotonic()
    answer = client.http.post("/api/v1/tickets", json=TICKET)
    return answer.status_code, answer.headers.get("Retry-After"), time.monotonic() - began


@contextmanager
def load(desk: Appliance, client: Client) -> Iterator[tuple[Counter[int], list[float]]]:
    """Four who read and write all the time: what they were answered, and when it was a refusal."""
    codes, refused, over = Counter[int](), list[float](), threading.Event()

    def ask() -> None:
        with desk.client(headers={"Authorization": client.http.headers["Authorization"]}) as mine:
            while not over.wait(0.05):
                for answer in (mine.http.get("/api/v1/tickets"), mine.http.post("/api/v1/tickets", json=TICKET)):
                    codes[answer.status_code] += 1
                    if answer.status_code == 503:
                        refused.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield codes, refused
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_out_of_connections_it_says_so_at_once_and_is_well_as_soon_as_there_are_some(desk: Appliance, root: Client) -> None:
    told(desk, "ALTER ROLE atum CONNECTION LIMIT 0", END_ALL)
    try:
        eventually(lambda: desk.health()[0] == 503, within=5, otherwise=desk.health)
        code, again, seconds = write(root)
        assert (code, again) == (503, "5")
        assert seconds < 2
        told(desk, "SELECT 1")  # whoever mends it still comes in
    finally:
        told(desk, "ALTER ROLE atum CONNECTION LIMIT -1")
    desk.until_healthy(10)
    assert write(root)[0] == 201


def test_what_somebody_keeps_locked_is_waited_for_five_seconds(desk: Appliance, root: Client) -> None:
    with subprocess.Popen(
        owner(desk, "BEGIN; LOCK TABLE ticket; SELECT pg_sleep(60); COMMIT"), stdout=subprocess.DEVNULL
    ) as holder:
        waits = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'ticket'::regclass AND granted"
        eventually(lambda: desk.sql(waits) == [["1"]], within=10)
        code, again, seconds = write(root)
        told(desk, END_SLEEPERS)
        holder.wait()
    assert (code, again) == (503, "5")
    assert 4 < seconds < 8
    assert write(root)[0] == 201


@pytest.mark.slow
def test_a_restart_of_postgresql_costs_five_seconds_of_refusals_and_no_error(make: Make) -> None:
    desk = make(mail=False, settings={"API_RATE": "1000r/s", "API_BURST": "1000"}).up()
    root, windows = desk.signed_in(), []
    for _ in range(5):
        with load(desk, root) as (codes, refused):
            time.sleep(1)
            desk.until_replaced("postgres", desk.signal("postgres", signal.SIGINT))
            time.sleep(5)
        assert set(codes) <= {200, 201, 503}
        windows.append(max(refused) - min(refused) if refused else 0.0)
        desk.until_healthy(10)
    assert max(windows) <= 5, windows
    print(f"refused for {max(windows):.1f} s at most")


@pytest.mark.slow
def test_where_no_name_is_known_mail_waits_and_nobody_else_does(make: Make) -> None:
    """A name server that never answers."""
    desk = make(settings={"IMAP_HOST": "imap.invalid", "SMTP_HOST": "smtp.invalid"}, more="dns: [192.0.2.1]").up()
    root, seconds = desk.signed_in(), []
    root.post("/tickets", {"subject": "A name", "body": "Nobody knows it.", "requester": "carol@acme.example"})
    eventually(lambda: desk.parts()["mailboxes"]["status"] == "degraded", within=60, otherwise=desk.parts)
    for _ in range(40):
        began = time.monotonic()
        root.get("/tickets")
        seconds.append(time.monotonic() - began)
    assert sorted(seconds)[-3] < 0.5, seconds
    assert desk.health()[0] == 200
    said = [line for line in desk.logs().splitlines() if '"level": "error"' in line or '"level": "warning"' in line]
    assert len(said) <= 12, said
