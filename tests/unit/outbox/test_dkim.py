"""Signatures that anybody can check, under letters of the domains whose DNS shows the key, and under no others."""

import re
import stat
from email import message_from_bytes
from pathlib import Path

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.outbox.compose import Enclosure, compose
from app.outbox.dkim import FOUND_FOR, OTHERWISE_FOR, Key, Shown, Signatures, known_or_new
from app.outbox.models import Kind
from tests.unit.outbox.letters import a_house, a_letter

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key."""
    made = tmp_path_factory.mktemp("secrets") / "dkim_key"
    known_or_new(made)
    return made


@pytest.fixture(scope="module")
def key(path: Path) -> Key:
    """The desk's key."""
    return known_or_new(path)


def verified(content: bytes, key: Key) -> bool:
    """What somebody who gets this mail finds out, by an implementation of its own way through DNS."""

    def text(name: bytes, timeout: float = 5) -> bytes | None:
        line = key.record("desk.example").partition(" IN TXT ")[2]
        return line.replace('" "', "").strip('"').encode() if name == b"atum._domainkey.desk.example." else None

    return bool(dkim.verify(content, dnsfunc=text))


def letter(**different: object) -> bytes:
    """A letter as it is sent, without a signature."""
    return compose(a_letter(**different), a_house()).as_bytes()


class Names:
    """A DNS that shows what it is told to, on a clock that stands still."""

    def __init__(self, *said: Shown) -> None:
        self.said, self.asked, self.time = list(said), list[str](), 0.0

    def __call__(self, key: Key, domain: str) -> Shown:
        self.asked.append(domain)
        return self.said.pop(0)


def signatures(path: Path, names: Names) -> Signatures:
    return Signatures(path, names, lambda: names.time)


@settings(deadline=None)
@given(subject=WORDS, name=WORDS, body=WORDS, file=st.binary(max_size=200))
def test_whatever_is_in_a_letter_its_signature_holds(key: Key, subject: str, name: str, body: str, file: bytes) -> None:
    row = a_letter(subject=subject, to_name=name, text=body)
    sent = key.sign(compose(row, a_house(), [Enclosure(name, "image/png", file)]).as_bytes(), "desk.example")
    assert verified(sent, key)


def test_a_signed_letter_is_the_same_mail_below_its_signature(key: Key) -> None:
    sent = key.sign(letter(), "desk.example")
    assert sent.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=desk.example;")
    assert sent.endswith(letter())
    assert sent.isascii()
    assert b"\n" not in sent.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("kind", "more"),
    [(Kind.REPLY, {"reply-to", "in-reply-to", "references"}), (Kind.NOTICE, {"in-reply-to", "references"})],
)
def test_every_header_that_people_see_is_signed(key: Key, kind: Kind, more: set[str]) -> None:
    signature = message_from_bytes(key.sign(letter(kind=kind), "desk.example"))["DKIM-Signature"]
    names = "".join(signature.split()).partition(";h=")[2].partition(";")[0].split(":")
    assert names.count("from") == 2
    assert set(names) == {"from", "to", "subject", "date", "message-id", "mime-version", "content-type"} | more


def test_the_way_to_unsubscribe_is_signed(key: Key) -> None:
    sent = key.sign(letter(kind=Kind.NOTICE, follower=3), "desk.example")
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in sent
    assert re.search(rb"\r\nList-Unsubscribe: <https://desk\.example/unfollow/7\.3\.[a-z2-7]{32}>\r\n", sent)
    signature = "".join(message_from_bytes(sent)["DKIM-Signature"].split())
    assert "list-unsubscribe:list-unsubscribe-post" in signature
    assert verified(sent, key)
    assert not verified(sent.replace(b"/unfollow/7.3", b"/unfollow/7.4"), key)


@pytest.mark.parametrize("header", ["From", "To", "Reply-To", "Subject", "Message-ID", "References", "Content-Type"])
def test_a_letter_that_was_changed_on_its_way_does_not_pass(key: Key, header: str) -> None:
    sent = key.sign(letter(), "desk.example")
    changed = sent.replace(f"\r\n{header}: ".encode(), f"\r\n{header}: x".encode(), 1)
    assert changed != sent
    assert not verified(changed, key)
    assert not verified(sent.replace(b"Pull the plug", b"Pull the plum"), key)


def test_nobody_can_add_a_second_sender(key: Key) -> None:
    assert not verified(b"From: mallory@evil.example\r\n" + key.sign(letter(), "desk.example"), key)
    assert not verified(key.sign(letter(), "desk.example").replace(b"\r\nTo: ", b"\r\nFrom: m@evil.example\r\nTo: ", 1), key)


def test_the_record_is_one_line_of_strings_that_dns_takes(key: Key) -> None:
    line = key.record("desk.example")
    assert "\n" not in line
    assert line.startswith('atum._domainkey.desk.example. IN TXT "v=DKIM1; k=rsa; p=')
    strings = line.partition(" IN TXT ")[2].strip('"').split('" "')
    assert len(strings) > 1
    assert max(map(len, strings)) < 255
    assert "".join(strings) == f"v=DKIM1; k=rsa; p={key.public}"


def test_the_key_is_made_once_and_is_its_owners_alone(path: Path, key: Key) -> None:
    before = path.read_bytes()
    assert known_or_new(path).public == key.public
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["dkim_key"]


def test_a_letter_is_signed_where_dns_shows_the_key_and_only_there(path: Path, key: Key) -> None:
    names = Names(Shown.OURS, Shown.NOTHING, Shown.ANOTHER, Shown.SILENT)
    sender = signatures(path, names)
    assert verified(sender.signed(letter(), "support@desk.example"), key)
    for domain in ("nothing.example", "another.example", "silent.example"):
        assert sender.signed(letter(), f"support@{domain}") == letter()
    assert names.asked == ["desk.example", "nothing.example", "another.example", "silent.example"]


def test_where_nobody_asked_for_the_record_there_is_no_key_and_dns_is_not_asked(tmp_path: Path) -> None:
    names = Names()
    assert signatures(tmp_path / "dkim_key", names).signed(letter(), "support@desk.example") == letter()
    assert names.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_made_while_the_sender_runs_is_used(tmp_path: Path) -> None:
    sender = signatures(tmp_path / "dkim_key", Names(Shown.OURS))
    assert sender.signed(letter(), "support@desk.example") == letter()
    made = known_or_new(tmp_path / "dkim_key")
    assert verified(sender.signed(letter(), "support@desk.example"), made)


@pytest.mark.parametrize(("said", "lasts"), [(Shown.OURS, FOUND_FOR), (Shown.NOTHING, OTHERWISE_FOR)])
def test_dns_is_asked_once_in_a_while(path: Path, said: Shown, lasts: float) -> None:
    names = Names(said, said)
    sender = signatures(path, names)
    for time in (0.0, 1.0, lasts - 1.0):
        names.time = time
        sender.signed(letter(), "support@desk.example")
    assert len(names.asked) == 1
    names.time = lasts
    sender.signed(letter(), "support@desk.example")
    assert len(names.asked) == 2


def test_while_dns_is_silent_what_it_said_last_counts(path: Path, key: Key) -> None:
    names = Names(Shown.OURS, Shown.SILENT, Shown.NOTHING)
    sender = signatures(path, names)
    sender.signed(letter(), "support@desk.example")
    names.time = FOUND_FOR
    assert verified(sender.signed(letter(), "support@desk.example"), key)
    names.time += OTHERWISE_FOR
    assert sender.signed(letter(), "support@desk.example") == letter()


def test_a_key_that_can_not_be_read_stops_no_letter(tmp_path: Path) -> None:
    (tmp_path / "dkim_key").write_text("no key")
    assert signatures(tmp_path / "dkim_key", Names()).signed(letter(), "support@desk.example") == letter()
    (tmp_path / "dkim_key").unlink()
    (tmp_path / "dkim_key").mkdir()
    assert signatures(tmp_path / "dkim_key", Names()).signed(letter(), "support@desk.example") == letter()
