"""Whatever is killed, and whenever: it comes back, and nothing is lost and nothing is there twice."""

import random
import statistics
import threading
import time
from collections import Counter
from functools import partial

import httpx2 as httpx
import pytest

from tests.appliance.conftest import Make
from tests.appliance.driver import Appliance, eventually
from tests.appliance.peers import a_mail

SOME, ALL = 6, 50  # kills of the whole container
BATCH = 10  # mails for each


def answers(desk: Appliance) -> bool:
    """Whether both the service and its health say yes."""
    if desk.health()[0] != 200:
        return False
    with desk.client(timeout=5) as client:
        try:
            return client.http.get("/", follow_redirects=True).status_code == 200
        except httpx.TransportError:
            return False


@pytest.mark.timeout(600)
def test_every_program_may_be_killed_and_the_desk_answers_within_ten_seconds(make: Make) -> None:
    desk = make().up()
    programs = sorted(set(desk.programs()) - {"boot"})
    assert {"nginx", "postgres", "redis", "sla-worker", "mail-poller", "outbox-sender", "listener", "api_00", "api_03"} <= set(
        programs
    )
    slow = {}
    for program in programs:
        began = time.monotonic()
        desk.until_replaced(program, desk.signal(program))
        eventually(partial(answers, desk), within=10 - (time.monotonic() - began), otherwise=partial(told, desk, program))
        slow[program] = time.monotonic() - began
    assert max(slow.values()) <= 11, slow  # the last look may have begun just in time
    # And it still does its job.
    desk.mail.write("After all that")
    eventually(lambda: len(desk.mail.inbox("carol@acme.example")) == 1, within=20)


def test_a_killed_api_process_costs_next_to_no_request(make: Make) -> None:
    """Only what it was answering at that moment may be lost, and that is told as 503."""
    desk = make(mail=False, settings={"API_RATE": "100000r/s", "API_BURST": "1000"}).up()
    codes: Counter[int] = Counter()
    stop = threading.Event()

    def ask() -> None:
        with desk.client() as client:
            while not stop.is_set():
                codes[client.http.get("/api/v1/tickets").status_code] += 1

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for worker in ("api_00", "api_01", "api_02"):
        desk.until_replaced(worker, desk.signal(worker))
    stop.set()
    for asker in askers:
        asker.join()
    assert set(codes) <= {401, 503}, codes
    assert codes[503] <= 4 * 3, codes
    assert codes[401] > 200, codes


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [SOME, pytest.param(ALL, marks=pytest.mark.slow)])
def test_killed_while_it_takes_in_mail_it_loses_none_and_doubles_none(make: Make, kills: int) -> None:
    desk, mails = make().up(), kills * BATCH
    chance, back = random.Random(kills), list[float]()
    for turn in range(kills):
        numbers = range(turn * BATCH, (turn + 1) * BATCH)
        desk.mail.send([a_mail(f"Mail {number:03}", sender=f"customer{number:03}@acme.example") for number in numbers])
        if turn % 2:  # as soon as the first became a ticket, or at any time
            eventually(partial(more_than, desk, turn * BATCH), within=60, every=0.02, otherwise=partial(told, desk, "ingest"))
        else:
            time.sleep(chance.uniform(0, 1.5))
        desk.kill()
        began = time.monotonic()
        desk.start()
        back.append(time.monotonic() - began)
    eventually(lambda: tickets(desk) >= mails, within=90, otherwise=lambda: f"{tickets(desk)} tickets")
    subjects = Counter(row[0] for row in desk.sql("SELECT subject FROM ticket"))
    assert subjects == {f"Mail {number:03}": 1 for number in range(mails)}
    assert desk.sql("SELECT count(*) FROM message") == [[str(mails)]]
    eventually(lambda: desk.sql("SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')") == [["0"]], within=60)
    # A receipt is sent at most once: the one a kill caught between the server and our own record is left as unknown.
    states = dict(desk.sql("SELECT state, count(*) FROM outbox GROUP BY state"))
    assert set(states) <= {"sent", "unknown"}
    assert int(states.get("unknown", 0)) <= kills
    receipts = desk.mail.run_in_server("find", "/mail", "-path", "*/customer*/new/*", "-type", "f")
    per_customer = Counter(path.split("/")[2] for path in receipts)
    assert set(per_customer.values()) == {1}
    assert len(per_customer) >= int(states["sent"])
    assert desk.run("atum", "audit", "verify").code == 0
    assert statistics.median(back) < 30  # once it may be that the machine was busy
    healthy = f"{statistics.median(back):.1f} s to be healthy again as a rule, {max(back):.1f} s at most"
    print(f"{kills} kills, {mails} mails, 0 lost, 0 twice, {healthy}, {states}")


def told(desk: Appliance, what: str) -> str:
    """What there is to know when something didn't come true."""
    return f"{what}: {desk.health()} {desk.programs()}"


def more_than(desk: Appliance, count: int) -> bool:
    """Whether there are more tickets than that."""
    return tickets(desk) > count


def tickets(desk: Appliance) -> int:
    """How many there are; none while the database isn't there."""
    ran = desk.run(
        "psql", "-h", "/run/postgresql", "-U", "atum", "-d", "atum", "-XAtc", "SELECT count(*) FROM ticket", user="app"
    )
    return int(ran.output) if ran.code == 0 else 0


def test_stopped_under_load_it_ends_well_within_nine_seconds(make: Make) -> None:
    desk = make(settings={"API_RATE": "1000r/s", "API_BURST": "1000"}).up()
    root, over = desk.signed_in(), threading.Event()
    made: list[int] = []

    def load() -> None:
        with desk.client(headers={"Authorization": root.http.headers["Authorization"]}) as client:
            while not over.is_set():
                try:
                    answer = client.http.post("/api/v1/tickets", json={"subject": "Load", "body": "Much"})
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 201:
                    made.append(answer.json()["number"])

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(made) > 50, within=30)
    code, seconds = desk.stop()
    over.set()
    for thread in threads:
        thread.join()
    assert code == 0
    assert seconds < 9
    desk.start()
    logs = desk.logs()
    assert logs.count("database system was shut down") >= 2  # after initdb, and after this stop
    assert "not properly shut down" not in logs
    kept = {int(row[0]) for row in desk.sql("SELECT number FROM ticket")}
    assert set(made) <= kept


def test_a_restart_keeps_everything(make: Make) -> None:
    desk = make().up()
    desk.mail.write("Before the restart", "It was there.")
    eventually(lambda: len(desk.mail.inbox("carol@acme.example")) == 1, within=20)
    token = desk.signed_in().http.headers["Authorization"]
    desk.stop()
    desk.start()
    with desk.client(headers={"Authorization": token}) as client:
        [ticket] = client.tickets()
        assert ticket["subject"] == "Before the restart"
        # The receipt's address was signed with a key that has to be the same one.
        desk.mail.answer(desk.mail.inbox("carol@acme.example")[0], "And after it.")
        eventually(lambda: len(client.get(f"/tickets/{ticket['number']}/messages")["items"]) == 2, within=20)
