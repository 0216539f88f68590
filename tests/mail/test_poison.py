"""Mails that end, hang or exhaust whoever reads them, among ordinary ones: the ordinary ones get through, the others a person.

Some are known to be hostile, and read by the real child. What no mail is known to do to it, a child does that has faults.
"""

import hashlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from app.entry.mail_poller import Poller
from app.files.disk import Blobs
from app.intake import actions
from app.intake.reader import Keep, Known, Reader
from app.intake.rules.mail import Mail
from app.intake.rules.states import MailState
from app.ops.health import BEAT_MOST
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail
from tests.unit.intake.test_reader import HOSTILE

FAULTY = """
import os, resource, signal, time
from app.intake import child

real = child.read.mail

def mail(raw):
    if b"poison: ends" in raw:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"poison: fails" in raw:
        raise KeyError("oops")
    if b"poison: exhausts" in raw:
        bytearray(2**30)
    if b"poison: computes" in raw:
        resource.setrlimit(resource.RLIMIT_CPU, (1, 5))
        while True:
            pass
    if b"poison: hangs" in raw:
        time.sleep(60)
    return real(raw)

child.read.mail = mail
child.main()
"""
REASONS = {
    "ends": "the reader was ended by SIGSEGV",
    "fails": "the reader failed: KeyError: 'oops'",
    "exhausts": "reading it took too much memory",
    "computes": "reading it took too much computing time",
    "hangs": "reading it took longer than 4 s",
}
# A second of computing takes longer than the patience where many want to compute.
WHERE_CROWDED = {REASONS["computes"]: {REASONS["computes"], REASONS["hangs"]}}


class Counting(Reader):
    """Remembers how often each mail was tried."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.tries: Counter[str] = Counter()

    def read(self, raw: bytes | Path, keep: Keep, known: Known = lambda _: ()) -> Mail:
        self.tries[hashlib.sha256(raw if isinstance(raw, bytes) else raw.read_bytes()).hexdigest()] += 1
        return super().read(raw, keep, known)


def until(poller: Poller, true: Callable[[], bool], *, within: float) -> float:
    """Round after round until it is so; the seconds that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, "it did not come to pass"
        poller.once()
    return time.monotonic() - began


def mixed(good: int, poison: dict[str, int], hostile: int) -> tuple[list[bytes], dict[bytes, str]]:
    """All mails in the order they come, and of those that can't be read the reason that will be given."""
    ordinary = [mail(f"Ordinary {n}.", mail_id=f"<good.{n}@acme.example>") for n in range(good)]
    bad = {
        mail(f"poison: {kind}", mail_id=f"<{kind}.{n}@evil.example>", sender="eve@evil.example"): REASONS[kind]
        for kind, many in poison.items()
        for n in range(many)
    }
    evil = [raw.replace(b"<1@", b"<evil.%d@" % n) + b"%d" % n for n, raw in enumerate([*HOSTILE.values()] * hostile)]
    woven = itertools.chain.from_iterable(itertools.zip_longest(bad, ordinary, evil))
    return [raw for raw in woven if raw is not None], bad


class Interrupted(Reader):
    """Remembers the subjects in the order of the tries; while it tries the fourth, something happens."""

    def __init__(self, happens: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._happens = happens
        self.order: list[str] = []

    def read(self, raw: bytes | Path, keep: Keep, known: Known = lambda _: ()) -> Mail:
        assert isinstance(raw, bytes)
        self.order.append(raw.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode())
        if len(self.order) == 4:
            self._happens()
        return super().read(raw, keep, known)


def test_a_mail_that_comes_does_not_wait_for_the_tries_of_those_that_failed(desk: Desk, peer: Server) -> None:
    def good_comes() -> None:
        peer.add(mail("Ordinary.", subject="good", mail_id="<good@acme.example>"))
        eventually(poller._arrived.is_set)

    worker: Any = SimpleNamespace(settings=desk.boot(), stop=threading.Event(), beat=lambda: None)
    with Interrupted(good_comes, command=("-c", FAULTY)) as reader:
        poller = Poller(worker, desk.database, reader)
        peer.add(*(mail("poison: ends", subject=name, mail_id=f"<{name}@x>") for name in ("p1", "p2", "p3")))
        until(poller, lambda: [row.state for row in desk.ledger()] == [MailState.QUARANTINED] * 3 + [MailState.DONE], within=60)
        poller.close()
    assert reader.order == ["p1", "p2", "p3", "p1", "good", "p2", "p3", "p1", "p2", "p3"]


def prove(desk: Desk, peer: Server, *, good: int, poison: dict[str, int], hostile: int, within: float) -> None:
    mails, bad = mixed(good, poison, hostile)
    beats = [time.monotonic()]
    beat = lambda: beats.append(time.monotonic())  # noqa: E731
    settings = desk.boot()
    with (
        Counting(command=("-c", FAULTY), patience=4.0, beat=beat) as reader,
        psycopg.connect(desk.database.dsn, autocommit=True) as db,
    ):
        worker: Any = SimpleNamespace(settings=settings, stop=threading.Event(), beat=beat)
        poller = Poller(worker, desk.database, reader)
        peer.add(*mails)

        def through() -> bool:
            done = db.execute("SELECT count(*) FROM inbound_mail WHERE state = 'done' AND mail_id LIKE '<good.%'")
            return done.fetchone() == (good,)

        seconds = until(poller, through, within=within)
        print(f"{good} ordinary mails among {len(mails) - good} that are not were through after {seconds:.0f} s")
        until(poller, lambda: len(peer.flagged(r"\Seen")) == len(mails), within=4 * within)
        poller.close()
        for thread in poller._mailboxes.values():
            thread.join()
        states = db.execute("SELECT id, state, reason, attempts, raw_sha256, ticket FROM inbound_mail").fetchall()
        found = {sha256: row for *row, sha256, _ in states}
        assert len(states) == len(found) == len(mails)
        for raw in mails:
            sha256 = hashlib.sha256(raw).hexdigest()
            id, state, reason, attempts = found[sha256]
            read = state in ("done", "duplicate")  # what is cut off may be all that differs
            assert reader.tries[sha256] == attempts + read <= 3
            if raw in bad:
                assert (state, attempts) == ("quarantined", 3)
                assert reason in WHERE_CROWDED.get(bad[raw], {bad[raw]})
            elif b"Ordinary" in raw:
                assert state == "done"
            with desk.database.transaction() as s:
                assert actions.raw(s, settings, id) == raw
        shown = "SELECT a.name, a.blob FROM inbound_mail i JOIN message m USING (ticket) JOIN attachment a ON a.message_id = m.id"
        attached = db.execute(f"{shown} WHERE i.state = 'quarantined'".encode()).fetchall()
        assert {hashlib.sha256(raw).hexdigest() for raw in bad} <= {blob for _, blob in attached}
        for name, blob in attached:
            assert name.endswith(".eml")
            assert Blobs(desk.folder / "files").get(blob) in mails
    assert max(after - before for before, after in itertools.pairwise(beats)) < BEAT_MOST  # else it would be restarted


def test_ordinary_mails_get_through_among_poison(desk: Desk, peer: Server) -> None:
    few = {"ends": 8, "fails": 8, "exhausts": 4, "computes": 1, "hangs": 1}
    prove(desk, peer, good=40, poison=few, hostile=1, within=60)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_ordinary_mails_get_through_among_a_thousand_of_poison(desk: Desk, peer: Server) -> None:
    many = {"ends": 470, "fails": 400, "exhausts": 70, "computes": 10, "hangs": 10}
    prove(desk, peer, good=1000, poison=many, hostile=4, within=300)
