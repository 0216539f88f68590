"""A desk with one mailbox on a scripted server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app import config
from app.config import Settings
from app.db.session import Database
from app.db.session import now as database_now
from app.intake import mailboxes
from app.intake.models import InboundMail, Mailbox
from app.intake.processing import Processor
from app.intake.reader import Reader
from app.intake.watch import Watch
from app.tickets.models import Message, Ticket
from tests.mail.imap_server import PASSWORD, USER, Server, running


@dataclass
class Desk:
    """The mailbox's side of the desk."""

    database: Database
    server: Server
    folder: Path
    reader: Reader
    arrived: threading.Event = field(default_factory=threading.Event)

    def environ(self, **different: str) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database.dsn,
            "DATA_DIR": str(self.folder),
            "RUN_DIR": str(self.folder),
            "IMAP_HOST": "127.0.0.1",
            "IMAP_PORT": str(self.server.port),
            "IMAP_USER": USER,
            "IMAP_PASSWORD": PASSWORD,
            "IMAP_SSL": "false",
            "EMAIL_POLL_INTERVAL": "1",
            "SMTP_HOST": "smtp.desk.example",
            "SMTP_FROM": USER,
            **different,
        }

    def settings(self, **different: str) -> Settings:
        return config.load(self.environ(**different), secrets=self.folder / "none")

    def boot(self, **different: str) -> Settings:
        """What every start does; the settings it did it with."""
        settings = self.settings(**different)
        with self.database.transaction() as s:
            mailboxes.ensure_mailbox(s, settings, now=database_now(s))
        return settings

    def mailbox(self) -> Mailbox:
        with self.database.transaction() as s:
            return s.scalars(select(Mailbox).where(Mailbox.removed_at.is_(None))).one()

    def watch(self, settings: Settings | None = None) -> Watch:
        """A poller's eye on the mailbox, that looks when it is told to."""
        return Watch(self.database, settings or self.boot(), self.mailbox().id, stop=threading.Event(), arrived=self.arrived)

    @contextmanager
    def watching(self, settings: Settings | None = None) -> Iterator[Watch]:
        """A poller at work."""
        watch = self.watch(settings)

        def turns() -> None:
            while not watch._stop.is_set():
                watch._stop.wait(min(watch.turn(), 0.05))

        thread = threading.Thread(target=turns)
        thread.start()
        try:
            yield watch
        finally:
            watch._stop.set()
            thread.join()

    def process(self) -> None:
        """Give every mail that waits its outcome."""
        processor = Processor(self.database, self.settings(), reader=self.reader, beat=lambda: None)
        for id in [*processor.failed_before(), *processor.waiting()]:
            processor.process(id)

    def ledger(self) -> list[InboundMail]:
        with self.database.transaction() as s:
            return list(s.scalars(select(InboundMail).order_by(InboundMail.id)))

    def count(self, table: type[Ticket] | type[Message]) -> int:
        with self.database.transaction() as s:
            return s.scalar(select(func.count()).select_from(table)) or 0

    def pretend(self, **columns: Any) -> None:
        """The mailbox as it would be some other day."""
        with self.database.transaction() as s:
            s.execute(update(Mailbox).values(**columns))


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


@pytest.fixture
def peer() -> Iterator[Server]:
    with running() as made:
        yield made


@pytest.fixture
def desk(database: Database, peer: Server, tmp_path: Path, reader: Reader) -> Desk:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("ab" * 32)
    return Desk(database, peer, tmp_path, reader)
