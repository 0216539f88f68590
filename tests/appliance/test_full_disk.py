"""A volume that is full: nothing new is taken anywhere, everything can be read, and once there is room all goes on by itself."""

import smtplib

import pytest

from tests.appliance.conftest import Make
from tests.appliance.driver import Appliance, eventually
from tests.appliance.peers import SUPPORT, a_mail
from tests.appliance.test_story import ticket_about

SIZE = 'volumes: !override []\ntmpfs: ["/data:size=300m,mode=0755,nr_inodes=20000"]'
BY_SMTP = {"SMTP_IN": "on", "SMTP_IN_DOMAINS": "desk.example"}
FILL = {
    "bytes": "dd if=/dev/zero of=/data/files/filler bs=1M; dd if=/dev/zero of=/data/files/filler2 bs=4k; true",
    "files": "mkdir /data/files/filler; i=0; while : >/data/files/filler/$i; do i=$((i + 1)); done; true",
}


@pytest.mark.parametrize("what", ["bytes", pytest.param("files", marks=pytest.mark.slow)])
def test_a_full_volume_is_read_and_not_written_and_recovers_alone(make: Make, what: str) -> None:
    desk = make(settings=BY_SMTP, more=SIZE)
    desk.ports.append("127.0.0.1::25")
    desk.up()
    root = desk.signed_in()
    number = root.post("/tickets", {"subject": "My printer burns", "body": "It is on fire."})["number"]
    desk.run("sh", "-c", FILL[what], user="app")

    refused = root.ask("POST", "/api/v1/tickets", json={"subject": "No room", "body": "For this"}, expect=503)
    assert refused.json()["type"] == "urn:atum-desk:problem:disk-full"
    assert refused.headers["Retry-After"] == "5"
    assert root.get(f"/tickets/{number}")["subject"] == "My printer burns"
    with smtplib.SMTP("127.0.0.1", desk.port(25), "mx.acme.example", timeout=10) as line:
        line.ehlo()
        assert line.mail("carol@acme.example")[0] == 452
    desk.mail.write("While it was full")
    assert desk.parts()["disk"]["reason"].startswith("The disk of the desk is nearly full")
    assert [ticket["subject"] for ticket in root.tickets()] == ["My printer burns"]
    eventually(lambda: unread(desk), within=5)

    desk.run("sh", "-c", "rm -rf /data/files/filler*", user="app")
    ticket_about(root, "While it was full")
    desk.until_healthy(60)
    root.post("/tickets", {"subject": "Room", "body": "For this"})
    with smtplib.SMTP("127.0.0.1", desk.port(25), "mx.acme.example", timeout=10) as line:
        assert line.send_message(a_mail("By SMTP once there is room")) == {}
    ticket_about(root, "By SMTP once there is room")
    assert "whole" in desk.atum("audit", "verify")
    assert "PANIC" not in desk.logs()


def unread(desk: Appliance) -> bool:
    """Whether a mail waits in the desk's mailbox, marked by nobody."""
    with desk.mail.imap(SUPPORT) as imap:
        return imap.search(None, "UNSEEN", "SUBJECT", '"While it was full"')[1] != [b""]
