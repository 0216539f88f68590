"""What DNS shows decides over signatures: with a real DNS server, a real outbox, and a receiver who checks."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dkim
import dns.rcode
import dns.resolver
import pytest

from app.db.session import Database
from app.entry.cli import main
from app.outbox.dkim import PATIENCE, Key, Shown, Signatures, known_or_new, shown
from app.outbox.models import State
from tests.db.outbox.conftest import Outbox, line
from tests.db.outbox.names import Names, serving
from tests.db.outbox.sink import Sink

pytestmark = pytest.mark.db
NAME = "atum._domainkey.desk.example"


@pytest.fixture
def names() -> Iterator[Names]:
    """A DNS server that knows nothing yet."""
    with serving() as server:
        yield server


@pytest.fixture
def key(tmp_path: Path) -> Key:
    """The desk's key, made by somebody who asked for the record."""
    return known_or_new(tmp_path / "dkim_key")


def publish(names: Names, key: Key, domain: str = "desk.example") -> None:
    """What an administrator does with the line: paste it into the zone."""
    owner, _, text = key.record(domain).partition(". IN TXT ")
    names.texts[owner] = [text]


def signatures(names: Names, folder: Path) -> Signatures:
    return Signatures(folder / "dkim_key", lambda key, domain: shown(key, domain, names.resolver()))


def passes(names: Names, raw: bytes) -> bool:
    """Whether a receiver who asks this DNS server finds the signature right."""

    def text(name: bytes, timeout: float = 5) -> bytes:
        [record] = names.resolver().resolve(name.decode(), "TXT", lifetime=timeout)
        return b"".join(record.strings)

    return bool(dkim.verify(raw, dnsfunc=text))


def test_a_published_key_signs_what_is_sent_and_the_receiver_finds_it_right(
    outbox: Outbox, sink: Sink, names: Names, key: Key, tmp_path: Path
) -> None:
    publish(names, key)
    outbox.put("one", ticket=1)
    outbox.put("two", ticket=2)
    with line(sink.account()) as carrier:
        outbox.carry(carrier, signatures(names, tmp_path))
    assert [passes(names, one.raw) for one in sink.taken] == [True, True]
    assert names.asked == 1 + 2  # ours once, the receiver's for each


def test_a_resend_is_signed_anew_and_is_the_same_mail(outbox: Outbox, sink: Sink, names: Names, key: Key, tmp_path: Path) -> None:
    publish(names, key)
    sink.drop = 1
    outbox.put()
    for _ in range(2):
        with line(sink.account()) as carrier:
            outbox.carry(carrier, signatures(names, tmp_path))
        outbox.later()
    first, second = sink.taken
    assert passes(names, first.raw)
    assert passes(names, second.raw)
    assert first.raw.partition(b"\r\nFrom: ")[2] == second.raw.partition(b"\r\nFrom: ")[2]


def test_a_domain_that_shows_nothing_is_not_signed_for(
    outbox: Outbox, sink: Sink, names: Names, key: Key, tmp_path: Path
) -> None:
    outbox.put()
    with line(sink.account()) as carrier:
        outbox.carry(carrier, signatures(names, tmp_path))
    assert sink.taken[0].message["DKIM-Signature"] is None
    assert outbox.letter().state is State.SENT


def test_a_dns_server_that_is_silent_costs_seconds_and_no_letter(
    outbox: Outbox, sink: Sink, names: Names, key: Key, tmp_path: Path
) -> None:
    names.deaf = True
    for ticket in range(5):
        outbox.put(f"reply:{ticket}", ticket=ticket)
    start = time.monotonic()
    with line(sink.account()) as carrier:
        outbox.carry(carrier, signatures(names, tmp_path))
    assert time.monotonic() - start < 4 * PATIENCE  # five letters
    assert len(sink.taken) == 5
    assert outbox.relay() is None


def test_each_domain_is_signed_for_by_itself(outbox: Outbox, sink: Sink, names: Names, key: Key, tmp_path: Path) -> None:
    outbox.house = replace(outbox.house, others=frozenset({"sales@shop.example"}))
    publish(names, key, "shop.example")
    outbox.put("sales", ticket=1, from_address="sales@shop.example")
    outbox.put("support", ticket=2)
    with line(sink.account()) as carrier:
        outbox.carry(carrier, signatures(names, tmp_path))
    signed = {one.message["Subject"]: one.message["DKIM-Signature"] for one in sink.taken}
    assert "d=shop.example" in str(signed["sales"])
    assert signed["support"] is None


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=DKIM1; k=rsa; p={}", Shown.OURS),
        ("p={}", Shown.OURS),
        (" v = DKIM1 ; t=s; n=ours; p = {}  ; ", Shown.OURS),
        ("v=DKIM1; k=ed25519; p={}", Shown.ANOTHER),
        ("v=DKIM2; p={}", Shown.ANOTHER),
        ("v=DKIM1; k=rsa; p=", Shown.ANOTHER),
        ("v=spf1 -all", Shown.ANOTHER),
        ("v=DKIM1; k=rsa; p={}AA", Shown.ANOTHER),
        ("v=DKIM1; h=sha1; p={}", Shown.ANOTHER),
        ("v=DKIM1; h=sha1:sha256; s=email; p={}", Shown.OURS),
        ("v=DKIM1; s=tlsrpt; p={}", Shown.ANOTHER),
    ],
)
def test_a_record_counts_where_it_publishes_our_key_for_mail(names: Names, key: Key, record: str, expected: Shown) -> None:
    text = record.format(key.public)
    names.texts[NAME] = [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))]
    assert shown(key, "desk.example", names.resolver()) is expected


def test_two_records_are_as_good_as_none(names: Names, key: Key) -> None:
    publish(names, key)
    names.texts[NAME].append('"v=DKIM1; p=abcd"')
    assert shown(key, "desk.example", names.resolver()) is Shown.ANOTHER


def test_no_record_and_no_answer_are_told_apart(names: Names, key: Key) -> None:
    assert shown(key, "desk.example", names.resolver()) is Shown.NOTHING
    names.texts[NAME] = []
    assert shown(key, "desk.example", names.resolver()) is Shown.NOTHING
    names.rcode = dns.rcode.SERVFAIL
    assert shown(key, "desk.example", names.resolver()) is Shown.SILENT
    assert shown(key, f"{'a' * 64}.example", names.resolver()) is Shown.SILENT


@pytest.fixture
def desk(database: Database, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Names:
    """The settings of a desk that sends as support@desk.example, on a machine whose DNS server is ours."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    settings = {"DATABASE_URL": database.dsn, "DATA_DIR": str(tmp_path), "RUN_DIR": str(tmp_path)}
    for name, value in (settings | {"SMTP_FROM": "support@desk.example", "SMTP_HOST": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("app.outbox.dkim.Resolver", names.resolver)
    return names


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["dkim", *words]) == code
    return capsys.readouterr().out


def test_the_command_says_what_to_publish_and_then_that_it_is_published(
    desk: Names, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys)
    assert told.startswith("desk.example: not published")
    record = told.splitlines()[1]
    key = known_or_new(tmp_path / "secrets" / "dkim_key")
    assert record == key.record("desk.example")
    desk.texts[NAME] = [record.partition(" IN TXT ")[2]]
    assert said(capsys) == "desk.example: published; its letters are signed.\n"
    [one] = json.loads(said(capsys, "--json"))
    assert one == {"domain": "desk.example", "selector": "atum", "record": record, "state": "ours"}


def test_the_command_finds_a_record_that_is_not_ours(desk: Names, capsys: pytest.CaptureFixture[str]) -> None:
    desk.texts[NAME] = ['"v=DKIM1; p=abcd"']
    assert "DNS shows another key" in said(capsys, code=1)
    desk.rcode = dns.rcode.SERVFAIL
    assert "DNS did not answer" in said(capsys)
