"""Mail straight on port 25, where it is switched on: a ticket, over TLS, by a program without any power."""

import signal
import smtplib
import socket
import ssl

import pytest

from tests.appliance.conftest import Make
from tests.appliance.driver import SUPPORT, Appliance, eventually
from tests.appliance.peers import CAROL, a_mail
from tests.appliance.test_hardening import processes
from tests.appliance.test_ports import LISTENING
from tests.appliance.test_tls import shake


def bring(desk: Appliance, subject: str) -> bytes:
    """One mail over TLS; the certificate that was shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", desk.port(25), "mx.acme.example", timeout=10) as line:
        line.starttls(context=context)
        assert isinstance(line.sock, ssl.SSLSocket)
        shown = line.sock.getpeercert(binary_form=True) or b""
        assert line.send_message(a_mail(subject)) == {}
        assert line.rcpt("victim@elsewhere.example")[0] in {503, 550}
    return shown


def takes(desk: Appliance) -> bool:
    """Whether somebody answers at the door."""
    try:
        with socket.create_connection(("127.0.0.1", desk.port(25)), 5) as line:
            return line.recv(3) == b"220"
    except OSError:
        return False


def test_a_mail_on_port_25_is_a_ticket_in_a_moment_and_the_door_is_watched_like_every_program(make: Make) -> None:
    desk = make(
        settings={"SMTP_IN": "on", "SMTP_IN_DOMAINS": "desk.example", "IMAP_HOST": "", "IMAP_USER": "", "IMAP_PASSWORD": ""},
        more="tmpfs: [/data/tmp:size=4m]",
    )
    desk.ports.append("127.0.0.1::25")
    desk.up()
    root = desk.signed_in()

    shown = bring(desk, "Straight to you")
    eventually(lambda: [ticket["subject"] for ticket in root.tickets()] == ["Straight to you"], within=20)
    with shake(desk) as nginx:
        assert nginx.getpeercert(binary_form=True) == shown
    eventually(lambda: len(desk.mail.inbox(CAROL)) == 1, within=15)
    assert SUPPORT in str(desk.mail.inbox(CAROL)[0]["From"])

    with smtplib.SMTP("127.0.0.1", desk.port(25), "mx.acme.example", timeout=30) as line:
        with pytest.raises(smtplib.SMTPDataError, match="The disk is full here; send it again later"):
            line.send_message(a_mail("Too large for what is left", ("x" * 70 + "\n") * 120_000))
        assert line.send_message(a_mail("Small enough")) == {}
    eventually(lambda: len(root.tickets()) == 2, within=10)

    listening = set(desk.run("/opt/venv/bin/python", "-c", LISTENING).output.splitlines())
    assert {"tcp :: 25", "tcp 0.0.0.0 25"} & listening
    doors = [(uid, powers) for uid, powers, _, words in processes(desk) if words.startswith("smtp-in:")]
    assert doors == [(5002, 0)]
    assert desk.parts()["smtp_in"]["status"] == "ok"

    desk.until_replaced("smtp-in", desk.signal("smtp-in"))
    eventually(lambda: takes(desk), within=10)
    bring(desk, "After its death")
    eventually(lambda: len(root.tickets()) == 3, within=10)

    desk.signal("smtp-in", signal.SIGSTOP)
    eventually(lambda: desk.health()[0] == 503, within=12, otherwise=desk.health)
    assert desk.parts()["smtp_in"]["status"] == "down"
    desk.signal("smtp-in", signal.SIGCONT)
    desk.until_healthy(15)

    code, seconds = desk.stop()
    assert (code, seconds < 10) == (0, True)
