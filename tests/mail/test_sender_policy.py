"""What domains say about who sends their mail (SPF), asked of a real name server."""

import socket
import threading
import time
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from app.config import Settings
from app.intake import sender_policy
from app.intake.dns import Names
from app.intake.processing import Processor
from app.intake.rules import headers
from app.intake.rules.authentication import Verdict
from tests.mail.conftest import Desk
from tests.mail.smtp_door import Client
from tests.mail.test_smtp_in import client, door, raw, settings
from tests.unit.intake.letters import mail

__all__ = ["client", "door", "settings"]

RECORDS = {
    ("good.example", "TXT"): ['"v=spf1 ip4:8.8.4.0/24 ip4:127.0.0.1 ip6:2001:4860::/32 mx -all"'],
    ("good.example", "MX"): ["10 mx.good.example."],
    ("mx.good.example", "A"): ["9.9.9.9"],
    ("mx.good.example", "TXT"): ['"v=spf1 a -all"'],
    ("soft.example", "TXT"): ['"v=spf1 include:good.example ~all"'],
    ("open.example", "TXT"): ['"v=spf1 ?all"'],
    ("long.example", "TXT"): ['"v=spf1 ip4:8.8" ".4.4 -all"'],
    ("twice.example", "TXT"): ['"v=spf1 -all"', '"v=spf1 +all"'],
    ("wrong.example", "TXT"): ['"v=spf1 ip4:nonsense -all"'],
    ("loop.example", "TXT"): ['"v=spf1 include:loop.example -all"'],
    ("other.example", "TXT"): ['"google-site-verification=x"'],
}


class NameServer(threading.Thread):
    """Answers from RECORDS; says nothing about silent.example."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))

    def run(self) -> None:
        while True:
            asked, where = self.socket.recvfrom(4096)
            if asked == b"stop":
                return
            query = dns.message.from_wire(asked)
            [question] = query.question
            name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
            if name == "silent.example":
                continue
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            if found := RECORDS.get((name, kind)):
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
            self.socket.sendto(answer.to_wire(), where)


@pytest.fixture(autouse=True)
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    server.start()
    host, port = server.socket.getsockname()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    yield server
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"stop", (host, port))
    server.join()
    server.socket.close()


@pytest.mark.parametrize(
    ("client", "sender", "verdict"),
    [
        ("8.8.4.4", "carol@good.example", "pass"),
        ("2001:4860::1", "carol@good.example", "pass"),
        ("9.9.9.9", "carol@good.example", "pass"),
        ("1.1.1.1", "carol@good.example", "fail"),
        ("8.8.4.4", "carol@soft.example", "pass"),
        ("1.1.1.1", "carol@soft.example", "softfail"),
        ("1.1.1.1", "carol@open.example", "neutral"),
        ("8.8.4.4", "carol@long.example", "pass"),
        ("1.1.1.1", "carol@other.example", "none"),
        ("1.1.1.1", "carol@nowhere.example", "none"),
        ("1.1.1.1", "carol@twice.example", "permerror"),
        ("1.1.1.1", "carol@wrong.example", "permerror"),
        ("1.1.1.1", "carol@loop.example", "permerror"),
        ("1.1.1.1", "carol@..", "none"),
        ("1.1.1.1", "carol", "none"),
        ("10.0.0.7", "carol@good.example", "none"),
        ("fd00::7", "carol@good.example", "none"),
        ("127.0.0.1", "carol@good.example", "pass"),
    ],
)
def test_a_domain_says_who_sends_its_mail(client: str, sender: str, verdict: str) -> None:
    assert sender_policy.verdict(client, sender, "mx.elsewhere.example") == verdict


def test_without_a_sender_it_is_about_the_name_that_was_given() -> None:
    assert sender_policy.verdict("9.9.9.9", "", "mx.good.example") == "pass"
    assert sender_policy.verdict("1.1.1.1", "", "mx.good.example") == "fail"
    assert sender_policy.verdict("1.1.1.1", "", "[1.1.1.1]") in {"none", "permerror"}
    assert sender_policy.verdict("1.1.1.1", "", "") in {"none", "permerror"}


def test_a_name_server_that_says_nothing_is_waited_for_three_seconds_and_no_longer() -> None:
    began = time.monotonic()
    assert sender_policy.verdict("1.1.1.1", "carol@silent.example", "x") == "temperror"
    assert time.monotonic() - began < sender_policy.PATIENCE + 5  # a busy machine is slow, too


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("carol@good.example", "spf=pass smtp.mailfrom=carol@good.example"),
        ("carol@silent.example", "spf=temperror smtp.mailfrom=carol@silent.example"),
        ("carol@open.example", "spf=none smtp.mailfrom=carol@open.example"),
    ],
)
def test_what_it_says_stands_above_the_mail_and_refuses_none(desk: Desk, client: Client, sender: str, said: str) -> None:
    assert client.bring(mail("Hello"), sender=sender).startswith("250")
    [row] = desk.ledger()
    assert headers.split(raw(desk, row.id))[0].first("authentication-results") == f"desk.example; {said}"


def test_what_the_library_trips_over_is_no_reason_to_refuse_a_mail(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trips(*_: object) -> str:
        raise RecursionError

    monkeypatch.setattr(sender_policy, "verdict", trips)
    assert client.bring(mail("Hello")).startswith("250")
    assert b"desk.example; spf=temperror" in raw(desk, desk.ledger()[0].id)


@pytest.mark.parametrize(
    ("envelope", "verdict", "words"),
    [
        ("carol@good.example", Verdict.PASS, "SPF for good.example, says desk.example"),
        ("mallory@open.example", Verdict.NONE, "no valid signature of good.example, which asks for none"),
    ],
)
def test_the_message_says_whether_its_sender_is_known_by_it(
    desk: Desk, client: Client, settings: Settings, envelope: str, verdict: Verdict, words: str
) -> None:
    forged = b"Authentication-Results: desk.example; spf=pass smtp.mailfrom=carol@good.example\r\n"
    client.bring(forged + mail("Hello", sender="Carol <carol@good.example>"), sender=envelope)
    [row] = desk.ledger()
    names = Names().for_a_mail
    Processor(desk.database, settings, reader=desk.reader, beat=lambda: None, names=names).process(row.id)
    [row] = desk.ledger()
    assert (row.verdict, row.verdict_words) == (verdict, words)
