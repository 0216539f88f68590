"""A mailbox whose mails are handed over instead of fetched, and read in this process instead of the child."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from app.db.session import Database, Session
from app.files.actions import File
from app.files.disk import Blobs
from app.intake import actions, outcomes
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox, Suggestion
from app.intake.rules import read
from app.intake.rules.authentication import Checked, Verdict
from app.intake.rules.states import MailboxState, MailState
from app.outbox.house import House
from app.outbox.models import Kind, Letter
from app.tickets.models import Message, Ticket
from tests.cast import Cast
from tests.unit.outbox.letters import a_house


def a_mailbox(s: Session, now: datetime, name: str = "support@desk.example") -> Mailbox:
    """A mailbox that is read since now."""
    made = Mailbox(
        name=name,
        address=name,
        host="imap.desk.example",
        port=993,
        tls=True,
        username=name,
        folder="INBOX",
        credentials="x",
        created_at=now,
        uidvalidity=1,
        last_uid=0,
        lease_epoch=1,
        state=MailboxState.OK,
        failures=0,
    )
    s.add(made)
    s.flush()
    return made


def blocked(database: Database) -> bool:
    """Whether somebody waits for a row that somebody else holds."""
    with psycopg.connect(database.dsn) as c:
        waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(c.execute(waits).fetchall())


@dataclass
class Desk:
    """What the tests do with it."""

    s: Session
    mailbox: Mailbox
    large: Blobs
    now: datetime
    house: House = field(default_factory=a_house)
    uid: int = 0

    def take(self, *raws: bytes, mailbox: Mailbox | None = None) -> list[InboundMail]:
        """The first transaction, for mails that come now."""
        into = mailbox or self.mailbox
        fetched = []
        for raw in raws:
            self.uid += 1
            fetched.append(Fetched(self.uid, raw, len(raw), self.now))
        actions.take(self.s, into, fetched, uidvalidity=1, large=self.large, now=self.now)
        uids = [f.uid for f in fetched]
        query = select(InboundMail).where(InboundMail.mailbox_id == into.id, InboundMail.uid.in_(uids))
        return list(self.s.scalars(query.order_by(InboundMail.uid)))

    def settle(self, row: InboundMail, raw: bytes, *, verdict: Verdict = Verdict.NONE) -> InboundMail | None:
        """The second transaction, for a mail of which that is known."""
        mail, found = read.mail(raw)
        files = [File(f.name, "application/octet-stream", len(f.content), "0" * 64) for f in found]
        return outcomes.settle(
            self.s, row.id, mail, files, house=self.house, gate=True, checked=Checked(verdict, "the test"), now=self.now
        )

    def deliver(self, raw: bytes, mailbox: Mailbox | None = None, *, verdict: Verdict = Verdict.NONE) -> InboundMail:
        """A mail from its arrival to its outcome."""
        [row] = self.take(raw, mailbox=mailbox)
        self.settle(row, raw, verdict=verdict)
        self.s.flush()
        return row

    def messages(self, ticket: int | None) -> list[Message]:
        return list(self.s.scalars(select(Message).where(Message.ticket == ticket).order_by(Message.id)))

    def tickets(self) -> list[Ticket]:
        return list(self.s.scalars(select(Ticket).order_by(Ticket.number)))

    def suggested(self) -> list[Suggestion]:
        """What waits for a say."""
        waits = select(Suggestion).join(InboundMail, InboundMail.id == Suggestion.inbound_mail_id)
        return list(self.s.scalars(waits.where(InboundMail.state == MailState.QUARANTINED).order_by(Suggestion.id)))

    def acknowledgements(self) -> list[str]:
        """Who was told that their mail came."""
        return list(self.s.scalars(select(Letter.to_address).where(Letter.kind == Kind.ACKNOWLEDGEMENT).order_by(Letter.id)))


@pytest.fixture
def desk(s: Session, now: datetime, tmp_path: Path, cast: Cast) -> Desk:
    return Desk(s, a_mailbox(s, now), Blobs(tmp_path / "mail"), now)
