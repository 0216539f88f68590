"""What a killed process leaves on the disk is removed after a month; what a row names, or may name soon, never is."""

import os
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from app.core import clock
from app.entry.mail_poller import Poller
from app.files.disk import Blobs
from app.intake import sweeping
from app.intake.models import InboundMail
from app.intake.sweeping import Sweeper
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail


@pytest.fixture
def blobs(desk: Desk, peer: Server) -> Blobs:
    """The bytes of large mails, one of which was taken two months ago."""
    peer.add(mail("Large." + "x" * 1_100_000, mail_id="<large@acme.example>"))
    with desk.watching():
        eventually(desk.ledger)
    with desk.database.transaction() as s:
        s.execute(update(InboundMail).values(taken_at=InboundMail.taken_at - timedelta(days=60)))
    return Blobs(desk.folder / "mail")


def aged(path: Path, days: float) -> Path:
    """The same file, put so many days ago."""
    at = clock.epoch() - days * 24 * 3600
    os.utime(path, (at, at))
    return path


def left(blobs: Blobs) -> set[Path]:
    return {path for path in blobs.root.rglob("*") if path.is_file()}


def test_only_what_nobody_named_within_a_month_is_removed(desk: Desk, blobs: Blobs) -> None:
    [named] = left(blobs)
    aged(named, 59)
    killed, unfinished = aged(blobs.path(blobs.put(b"killed before its row")), 31), blobs.root / "tmpabc"
    unfinished.write_bytes(b"killed in the mid")
    aged(unfinished, 31)
    young = aged(blobs.path(blobs.put(b"its row may come")), 29)
    foreign = blobs.root / "ab" / "README"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("not ours")
    aged(foreign, 31)
    assert Sweeper(desk.database, desk.settings()).turn() == 24 * 3600
    assert left(blobs) == {named, young, foreign}
    assert {killed, unfinished} & left(blobs) == set()


def test_a_ledger_judges_nothing_from_before_its_own_first_row(desk: Desk, blobs: Blobs) -> None:
    """Somebody named another database by mistake, or began anew: the bytes are there when the old one is back."""
    older = aged(blobs.path(blobs.put(b"of another ledger")), 61)
    Sweeper(desk.database, desk.settings()).turn()
    assert older in left(blobs)
    with desk.database.transaction() as s:
        s.query(InboundMail).delete()
    everything = {aged(path, 31) for path in left(blobs)}
    Sweeper(desk.database, desk.settings()).turn()
    assert left(blobs) == everything


def test_what_is_put_once_more_is_new(desk: Desk, blobs: Blobs) -> None:
    again = aged(blobs.path(blobs.put(b"fetched anew after a month")), 31)
    blobs.put(b"fetched anew after a month")
    Sweeper(desk.database, desk.settings()).turn()
    assert again in left(blobs)


def test_the_poller_does_it(desk: Desk, blobs: Blobs) -> None:
    forgotten = aged(blobs.path(blobs.put(b"killed before its row")), 31)
    worker: Any = SimpleNamespace(settings=desk.settings(), stop=threading.Event(), beat=lambda: None)
    poller = Poller(worker, desk.database, desk.reader)
    try:
        poller.once()
        eventually(lambda: not forgotten.exists())
    finally:
        poller.close()
    assert sweeping.EVERY == 24 * 3600
