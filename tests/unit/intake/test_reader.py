"""The limited child, and the parent that never falls with it."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from textwrap import indent

import pytest

from app.intake import reader as readers
from app.intake.reader import Reader, Unreadable
from app.intake.rules import html, parts
from app.intake.rules.keys import Confirmed
from app.intake.rules.mail import Found
from app.intake.rules.seal import FAILED, Seal, SealState
from tests import cpu
from tests.unit.intake import pgp, signing
from tests.unit.intake.letters import mail, multipart, part

Kept = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


def kept(reader: Reader, raw: bytes) -> Kept:
    found: Kept = []
    reader.read(raw, lambda file: found.append((file.name, file.content)))
    return found


def stand_in(script: str, patience: float = 60.0) -> Reader:
    """A reader whose children run this instead."""
    start = (
        "import socket, sys, os, time, resource, signal\n"
        "from app.intake import frames, nursery\n"
        "def serve():\n"
        " s = socket.socket(fileno=0)\n"
        " raw = frames.receive(s)\n"
    )
    return Reader(patience=patience, command=("-c", f"{start}{indent(script, ' ')}\nnursery.keep(serve)"))


def test_it_reads_a_mail_and_hands_over_its_files(reader: Reader) -> None:
    files: Kept = []
    picture = part(b"\x89PNG" * 100_000, "image/png", Content_Disposition="attachment; filename=a.png")
    found = reader.read(multipart(part("See the picture."), picture), lambda file: files.append((file.name, file.content)))
    assert (found.subject, found.text) == ("Help", "See the picture.")
    assert files == [("a.png", b"\x89PNG" * 100_000)]


def test_one_child_reads_many_mails(reader: Reader) -> None:
    assert [reader.read(mail(str(n)), lambda *_: None).text for n in range(20)] == [str(n) for n in range(20)]


LEVELS = b"".join(b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (n, n + 1) for n in range(1500))
HOSTILE = {
    "deep html": mail("<div>" * 100_000 + "hello", Content_Type="text/html"),
    "misnested html": mail("<b><i>" * (html.MOST_DEPTH // 2) + "</b></i>" * 50_000, Content_Type="text/html"),
    "tables": mail("<table>" * 240 + "<tr><td>a</td></tr>" * 20_000, Content_Type="text/html"),
    "brackets": mail("<" * 1_000_000, Content_Type="text/html"),
    "encoded words": mail(subject=" ".join(["=?utf-8?q?x?="] * 20_000)),
    "parentheses": mail(sender="(" * 300 + " carol@acme.example"),
    "parts": multipart(*[part(str(n)) for n in range(50_000)]),
    "levels": mail(LEVELS, Content_Type="multipart/mixed; boundary=0"),
    "continuations": mail(Content_Type="application/x; " + "; ".join(f"name*{n}*=%41" for n in range(4000))),
    "headers": b"X: y\r\n" * 1_000_000,
}


@pytest.mark.parametrize("evil", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_mail_is_read_within_five_seconds(reader: Reader, evil: bytes) -> None:
    reader.read(mail(), lambda *_: None)
    assert reader._child
    before = cpu.of_process(reader._child.number)
    reader.read(evil, lambda *_: None)
    assert cpu.of_process(reader._child.number) - before < 5


def test_a_mail_of_fifty_thousand_parts_says_that_some_are_missing(reader: Reader) -> None:
    found = reader.read(multipart(*[part(str(n)) for n in range(50_000)]), lambda *_: None)
    assert found.text.endswith("The rest is only in the original.]")
    assert found.text.count("\n\n") <= parts.MOST_PARTS


def test_fifty_megabytes_go_through(reader: Reader) -> None:
    line = b"QUJD" * 19 + b"\r\n"
    raw = mail(line * (50_000_000 // len(line)), Content_Type="application/x", Content_Transfer_Encoding="base64")
    [(_, content)] = kept(reader, raw)
    assert content == b"ABC" * 19 * (50_000_000 // len(line))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("raise KeyError('oops')", "KeyError: 'oops'"),
        ("resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28)); b'x' * 2**29", "too much memory"),
        ("resource.setrlimit(resource.RLIMIT_CPU, (1, 9))\nwhile True: pass", "too much computing time"),
        ("s.close(); time.sleep(60)", "closed its line"),
    ],
)
def test_a_child_that_falls_is_told_apart_by_why(script: str, reason: str) -> None:
    with stand_in(script) as reader, pytest.raises(Unreadable, match=reason):
        reader.read(mail(), lambda *_: None)


GREEDY = [
    "s.sendall((2**40).to_bytes(8, 'big'))",
    "frames.send(s, json.dumps({'mail': {}, 'files': [{}] * 5001}).encode())",
    "frames.send(s, json.dumps({'mail': {}, 'files': [{'name': 'a'}]}).encode()); s.sendall((2**27).to_bytes(8, 'big'))",
]


@pytest.mark.parametrize("script", GREEDY, ids=["head", "files", "file"])
def test_a_child_that_hands_over_without_end_is_not_listened_to(script: str) -> None:
    """A mail may have taken it over: it must not fill our memory, nor the disk."""
    with stand_in(f"import json; {script}; time.sleep(60)") as reader, pytest.raises(Unreadable, match="than a mail can hold"):
        reader.read(mail(), lambda *_: None)


def test_a_child_that_hangs_is_ended_in_time() -> None:
    began = time.monotonic()
    with stand_in("time.sleep(60)", patience=1) as reader, pytest.raises(Unreadable, match="longer than 1 s"):
        reader.read(mail(), lambda *_: None)
    assert time.monotonic() - began < 20


def test_the_parent_shows_that_it_lives_while_it_waits() -> None:
    beats: list[float] = []
    asleep = ("-c", "import time; time.sleep(60)")
    with (
        Reader(patience=2.5, beat=lambda: beats.append(time.monotonic()), command=asleep) as reader,
        pytest.raises(Unreadable),
    ):
        reader.read(mail(), lambda *_: None)
    assert len(beats) >= 2


def test_the_next_mail_gets_a_new_child() -> None:
    once = "if raw.startswith(b'From: evil'): os._exit(3)\nfrom app.intake import child; child._answer(s, raw)"
    with stand_in(once) as reader:
        with pytest.raises(Unreadable):
            reader.read(mail(sender="evil"), lambda *_: None)
        assert reader.read(mail("good"), lambda *_: None).text == "good"


FALLS = """
import os
from app.intake import child
real = child.read.mail
child.read.mail = lambda raw: os._exit(3) if raw.startswith(b"From: evil") else real(raw)
child.main()
"""


def test_a_child_that_fell_is_followed_by_one_forked_from_the_same_process() -> None:
    with Reader(command=("-c", FALLS)) as reader:
        first = _born(reader, mail("one"))
        with pytest.raises(Unreadable):
            reader.read(mail(sender="evil"), lambda *_: None)
        second = _born(reader, mail("two"))
    assert first[0] == second[0]
    assert first[1] != second[1]


def _born(reader: Reader, raw: bytes) -> tuple[int, int]:
    """The numbers of the process it was forked from, and its own."""
    reader.read(raw, lambda *_: None)
    assert reader._child
    assert reader._nursery._process
    return reader._nursery._process.pid, reader._child.number


@pytest.mark.parametrize(
    "goes", ["with its child, for want of work", "without one, for want of work", "killed, and its child too"]
)
def test_what_children_are_forked_from_may_go_too(goes: str) -> None:
    script = "from app.intake import child, nursery; nursery.IDLE = 0.2; child.main()"
    with Reader(command=("-c", script)) as reader:
        first, child = _born(reader, mail("one"))
        process = reader._nursery._process
        assert process
        if goes == "killed, and its child too":
            process.kill()
            os.kill(child, signal.SIGKILL)
        if goes == "without one, for want of work":
            reader._end()
        process.wait(5)
        assert _born(reader, mail("two"))[0] != first


def test_a_child_that_went_for_want_of_work_is_no_failure() -> None:
    with stand_in("from app.intake import child; child._answer(s, raw)") as reader:
        reader.read(mail("one"), lambda *_: None)
        time.sleep(0.5)
        assert reader.read(mail("two"), lambda *_: None).text == "two"


def test_a_file_that_can_not_be_kept_is_nobody_s_fault_but_ours(reader: Reader) -> None:
    def full(file: Found) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        reader.read(mail("x", Content_Type="application/pdf"), full)
    assert reader.read(mail("next"), lambda *_: None).text == "next"


def test_the_child_knows_no_secret_and_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "the secret of the house")
    with Reader() as reader:
        reader.read(mail(), lambda *_: None)
        child = reader._child
        assert child is not None
        environment = os.read(os.open(f"/proc/{child.number}/environ", os.O_RDONLY), 65536)
        limits = os.read(os.open(f"/proc/{child.number}/limits", os.O_RDONLY), 65536).decode()
        held = sorted(each.name for each in Path(f"/proc/{child.number}/fd").iterdir())
    assert b"secret" not in environment
    assert held == ["0", "1", "2"]
    assert limits.split("Max address space")[1].split()[0] == str(512 * 1024 * 1024)
    assert 10 < int(limits.split("Max cpu time")[1].split()[0]) < 20
    assert limits.split("Max file size")[1].split()[0] == "0"
    assert limits.split("Max processes")[1].split()[0] == "0"
    assert limits.split("Max open files")[1].split()[0] == "16"


def test_the_parent_loads_none_of_the_parsers() -> None:
    heavy = "print(sorted({'lxml', 'nh3', 'chardet', 'inscriptis', 'icalendar', 'pysequoia'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", f"import sys, app.entry.mail_poller\n{heavy}"], capture_output=True, check=True)
    assert said.stdout == b"[]\n"


def test_a_mail_in_a_file_is_read_as_one_in_hand(reader: Reader, tmp_path: Path) -> None:
    raw = multipart(part("See the file."), part("x" * 3_000_000, Content_Disposition="attachment; filename=a.bin"))
    (tmp_path / "mail").write_bytes(raw)
    files: dict[str, list[int]] = {"hand": [], "file": []}
    in_hand = reader.read(raw, lambda file: files["hand"].append(len(file.content)))
    assert reader.read(tmp_path / "mail", lambda file: files["file"].append(len(file.content))) == in_hand
    assert files["file"] == files["hand"] == [3_000_000]


@pytest.mark.parametrize("media_type", ["application/zip", "text/plain", "text/html"])
def test_reading_a_large_mail_takes_little_more_than_three_times_its_size(media_type: str) -> None:
    large = base64.encodebytes(b"all of it is one long line " * 600_000).decode()
    raw = multipart(part("See."), part(large, media_type, Content_Transfer_Encoding="base64"))
    with Reader() as reader:
        reader.read(mail("<p>small"), lambda *_: None)
        assert reader._child
        before = _most(reader._child.number)
        reader.read(raw, lambda *_: None)
        assert _most(reader._child.number) - before < 3 * len(raw) + 40_000_000


def _most(process: int) -> int:
    """Bytes that it held at most so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


SIGNED = signing.beside(signing.detached(certificate=signing.carols(lasts=timedelta(days=36_500))))


def test_the_signature_of_a_mail_is_checked_in_the_child(reader: Reader) -> None:
    """With the authorities of this system, of which ours is none."""
    found = reader.read(SIGNED, lambda *_: None)
    assert found.text == "It is broken.\nCarol"
    assert found.seal == Seal(intact=True, addresses=(signing.CAROL,), name="Carol")


def test_it_knows_the_authorities_that_the_system_knows() -> None:
    start = f"from app.intake import child; child._roots = lambda: {signing.ROOTS!r}; child.main()"
    with Reader(command=("-c", start)) as reader:
        found = reader.read(SIGNED, lambda *_: None)
    assert found.seal == Seal(intact=True, addresses=(signing.CAROL,), name="Carol", known=True)


@pytest.mark.parametrize("harm", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGSEGV)", "time.sleep(60)", "1 / 0"])
def test_a_child_that_falls_over_a_signature_has_read_the_mail(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PATIENCE_WITH_A_SEAL", 0.5)
    patched = f"from app.intake import child\ndef fall(*_, **__):\n  {harm}\nchild.smime.checked = fall\nchild._answer(s, raw)"
    with stand_in(patched) as reader:
        found = reader.read(SIGNED, lambda *_: None)
        assert (found.text, found.seal) == ("It is broken.\nCarol", FAILED)
        assert reader.read(mail("next"), lambda *_: None).text == "next"


def test_an_openpgp_signature_is_checked_in_the_child_by_the_keys_that_are_known(reader: Reader) -> None:
    asked: list[tuple[str, ...]] = []

    def known(names: Sequence[str]) -> list[Confirmed]:
        asked.append(tuple(names))
        return [pgp.confirmed(pgp.public())]

    raw = pgp.beside(pgp.signature(), Autocrypt=f"addr=x; keydata={base64.b64encode(bytes(pgp.public())).decode()}")
    found = reader.read(raw, lambda *_: None, known)
    assert found.seal
    assert asked == [found.seal.keys]
    assert found.seal.told(signing.CAROL) == (SealState.GOOD, "Signed by carol@acme.example, intact.")
    assert [one.fingerprint for one in found.keys] == [pgp.public().fingerprint.upper()]
    assert reader.read(mail("next"), lambda *_: None, known).seal is None
    assert len(asked) == 1, "nobody asks for keys where nothing is signed by one"


def test_whoever_can_not_tell_the_keys_says_so_and_the_next_mail_is_read(reader: Reader) -> None:
    def known(_: Sequence[str]) -> list[Confirmed]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reader.read(pgp.beside(pgp.signature()), lambda *_: None, known)
    assert reader.read(mail("next"), lambda *_: None).text == "next"


@pytest.mark.parametrize("harm", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGSEGV)", "time.sleep(60)", "1 / 0"])
def test_a_child_that_falls_over_a_key_has_read_the_mail(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PATIENCE_WITH_A_SEAL", 0.5)
    patched = f"from app.intake import child\ndef fall(*_, **__):\n  {harm}\nchild.sequoia.brought = fall\nchild._answer(s, raw)"
    raw = multipart(part("My key."), pgp.attached(pgp.armored(pgp.public())))
    with stand_in(patched) as reader:
        found = reader.read(raw, lambda *_: None)
        assert (found.text, found.seal, found.keys) == ("My key.", None, ())
        found = reader.read(pgp.beside(pgp.signature(), Autocrypt="keydata=AAAA"), lambda *_: None)
        assert found.seal
        assert found.seal.told("")[1] == "Signed, but that could not be checked: looking at it took too long or failed."
        assert reader.read(mail("next"), lambda *_: None).text == "next"
