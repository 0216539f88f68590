"""Health says what is, within seconds, and is never fine with something required down."""

import signal

import pytest

from tests.appliance.conftest import Make
from tests.appliance.driver import Appliance, eventually

REQUIRED = ("postgres", "sla-worker", "mail-poller", "outbox-sender")


def test_a_boot_goes_from_starting_to_healthy(make: Make) -> None:
    desk = make(mail=False).up(wait=False)
    seen: list[str] = []

    def healthy() -> bool:
        code, health = desk.health()
        status = str(health.get("status", ""))
        if status and status not in seen:
            seen.append(status)
            assert code == (200 if status == "healthy" else 503)
        return status == "healthy"

    eventually(healthy, within=60, every=0.05)
    assert seen == ["starting", "healthy"]
    eventually(lambda: desk.container.attrs["State"]["Health"]["Status"] == "healthy", within=10)


def test_outsiders_are_told_nothing_but_whether_it_is_well(desk: Appliance) -> None:
    _, health = desk.health()
    assert set(health) == {"status", "timestamp", "version"}


def test_an_administrator_is_told_every_part(desk: Appliance) -> None:
    health = desk.signed_in().get("/health")
    parts = {
        "database",
        "redis",
        "migrations",
        "disk",
        "tls",
        "api",
        "sla_worker",
        "mail_poller",
        "outbox_sender",
        "mailboxes",
        "outbox",
    }
    assert parts <= set(health["components"])


@pytest.mark.parametrize("program", REQUIRED)
def test_a_frozen_part_is_told_within_five_seconds_and_its_recovery_too(desk: Appliance, program: str) -> None:
    desk.signal(program, signal.SIGSTOP)
    try:
        eventually(lambda: desk.health()[0] == 503, within=5, otherwise=desk.health)
        assert desk.health()[1]["status"] == "unhealthy"
    finally:
        desk.signal(program, signal.SIGCONT)
    desk.until_healthy(15)


def test_without_any_api_process_the_answer_is_503_and_not_silence(desk: Appliance) -> None:
    workers = {program: pid for program, pid in desk.programs().items() if program.startswith("api_")}
    assert len(workers) == 4
    for worker in workers:
        desk.signal(worker, signal.SIGSTOP)
    try:
        eventually(lambda: desk.health()[0] == 503, within=6)
    finally:
        for pid in workers.values():  # one that was replaced meanwhile is no more
            desk.run("sh", "-c", f"kill -CONT {pid}")
    desk.until_healthy(15)


def test_a_lost_redis_degrades_and_does_not_stop_the_desk(desk: Appliance) -> None:
    desk.signal("redis", signal.SIGSTOP)
    try:
        eventually(lambda: desk.health()[1].get("status") == "degraded", within=5, otherwise=desk.health)
        assert desk.health()[0] == 200
    finally:
        desk.signal("redis", signal.SIGCONT)
    eventually(lambda: desk.health()[1].get("status") == "healthy", within=15, otherwise=desk.health)


@pytest.mark.parametrize("program", ["sla-worker", "postgres"])
def test_a_frozen_part_is_replaced_without_anybodys_help(make: Make, program: str) -> None:
    desk = make().up()
    frozen = desk.signal(program, signal.SIGSTOP)
    eventually(lambda: desk.health()[0] == 503, within=5)
    desk.until_replaced(program, frozen, within=60)
    desk.until_healthy(30)


def test_a_wrong_mailbox_password_is_told_in_words_while_everything_else_works(make: Make) -> None:
    desk = make(settings={"IMAP_PASSWORD": "wrong"}).up()
    eventually(lambda: desk.health()[1].get("status") == "degraded", within=20, otherwise=desk.health)
    assert desk.health()[0] == 200
    mailboxes = desk.parts()["mailboxes"]
    assert mailboxes["status"] == "degraded"
    assert "support@desk.example" in mailboxes["reason"]
    assert "wrong" not in mailboxes["reason"].split()
    root = desk.signed_in()
    number = root.post("/tickets", {"subject": "By hand", "body": "It works.", "requester": "carol@acme.example"})["number"]
    if root.get(f"/tickets/{number}")["status"] == "new":
        root.post(f"/tickets/{number}/acceptance")
    root.post(f"/tickets/{number}/messages", {"body": "It does."})
    eventually(lambda: any("By hand" in str(mail["Subject"]) for mail in desk.mail.inbox("carol@acme.example")), within=15)
    complaints = [line for line in desk.logs().splitlines() if '"proc": "mail-poller"' in line and '"level": "error"' in line]
    assert len(complaints) <= 1


def test_a_refused_mail_password_is_told_in_words_and_mended_by_the_right_one(make: Make) -> None:
    desk = make(settings={"SMTP_PASSWORD": "wrong"}).up()
    desk.mail.write("Anybody there?")
    eventually(lambda: desk.parts()["outbox"]["status"] == "degraded", within=20, otherwise=desk.parts)
    assert "535" in desk.parts()["outbox"]["reason"]
    assert desk.health()[0] == 200
    assert desk.mail.inbox("carol@acme.example") == []
    desk.settings["SMTP_PASSWORD"] = "demo"
    desk.up()
    eventually(lambda: len(desk.mail.inbox("carol@acme.example")) == 1, within=20)
