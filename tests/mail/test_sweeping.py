"""What a killed process leaves on the disk is removed after a month; what a row names, or may name soon, never is."""

import os
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core import clock
from app.db.session import now as database_now
from app.entry.mail_poller import Poller
from app.files import actions as files
from app.files.disk import Blobs
from app.files.models import Attachment
from app.intake import sweeping
from app.intake.models import InboundMail, Suggestion
from app.intake.rules.signs import Sign
from app.intake.sweeping import Sweeper
from app.tickets import actions as tickets
from app.tickets import planned
from app.tickets.models import Channel, Ticket
from tests.cast import assemble
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail, multipart, part


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


class TestFiles:
    """Of tickets: an attachment names one, an answer that waits, or a suggestion."""

    @pytest.fixture
    def store(self, desk: Desk, peer: Server) -> Blobs:
        """The folder of a desk whose first ticket, with a file, is two months old."""
        enclosed = part("first file", "application/octet-stream", Content_Disposition="attachment; filename=a.bin")
        peer.add(multipart(part("Hello"), enclosed, sender="New <new@else.example>"))
        with desk.watching():
            eventually(desk.ledger)
        desk.process()
        with desk.database.transaction() as s:
            s.execute(update(Attachment).values(created_at=Attachment.created_at - timedelta(days=60)))
        return Blobs(desk.folder / "files")

    def swept(self, desk: Desk, store: Blobs) -> set[Path]:
        """What is left after a month."""
        for path in left(store):
            aged(path, 31)
        Sweeper(desk.database, desk.settings()).turn()
        return left(store)

    def test_what_is_attached_stays_and_what_a_killed_process_left_goes(self, desk: Desk, store: Blobs) -> None:
        [attached] = left(store)
        store.put(b"killed before its row")
        young = store.path(store.put(b"its row may come"))
        for path in left(store) - {young}:
            aged(path, 31)
        Sweeper(desk.database, desk.settings()).turn()
        assert left(store) == {attached, young}

    def test_a_file_of_an_answer_stays_while_it_waits_and_once_it_went_out_and_goes_when_it_was_taken_back(
        self, desk: Desk, store: Blobs
    ) -> None:
        [attached] = left(store)
        sent, kept, dropped = (files.keep(store, name=f"{n}.txt", content=f"file {n}".encode()) for n in range(3))
        with desk.database.transaction() as s:
            alice, ticket = assemble(s, now := database_now(s)).alice, s.scalars(select(Ticket)).one()
            tickets.accept(s, ticket, by=alice, now=now)
            waits = [
                planned.plan(
                    s, ticket, by=alice, text="Look.", files=[file], at=now + timedelta(days=1), channel=Channel.PAGE, now=now
                )
                for file in (sent, kept, dropped)
            ]
            ids = [one.id for one in waits]
        everything = {attached, *(store.path(file.blob) for file in (sent, kept, dropped))}
        assert self.swept(desk, store) == everything
        with desk.database.transaction() as s:
            ticket, now = s.scalars(select(Ticket)).one(), database_now(s)
            planned.send(s, ticket, planned.found(s, ticket, ids[0]), now=now)
            gone = planned.found(s, ticket, ids[2])
            planned.take_back(s, ticket, gone, by=gone.author, now=now)
        assert self.swept(desk, store) == everything - {store.path(dropped.blob)}

    def test_a_file_of_a_mail_that_waits_for_a_say_stays(self, desk: Desk, store: Blobs) -> None:
        before, file = left(store), files.keep(store, name="b.txt", content=b"of a suggestion")
        with desk.database.transaction() as s:
            mails, ticket = s.scalars(select(InboundMail)).one(), s.scalars(select(Ticket)).one()
            one = Suggestion(inbound_mail_id=mails.id, ticket=ticket.number, person_id=ticket.requester_id, sign=Sign.OURS)
            one.auto, one.body, one.files, one.made_at = False, {"text": "?"}, [vars(file)], database_now(s)
            s.add(one)
        assert self.swept(desk, store) == {*before, store.path(file.blob)}

    def test_a_desk_without_a_file_judges_nothing(self, desk: Desk, store: Blobs) -> None:
        """Somebody named another database by mistake, or began anew."""
        with desk.database.transaction() as s:
            s.query(Attachment).delete()
        before = left(store)
        assert self.swept(desk, store) == before != set()
