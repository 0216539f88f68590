"""An outbox on a database of its own, and a real server to send to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.audit.models import Entry, Event
from app.db.session import Database
from app.db.session import now as time_of
from app.files.disk import Blobs
from app.outbox import actions, webhook
from app.outbox.actions import Draft
from app.outbox.delivery import Carrier, process_one
from app.outbox.dkim import Signatures
from app.outbox.house import House
from app.outbox.models import Kind, Letter, Relay
from app.outbox.smtp import Account, Line
from tests.db.outbox.hooked import Hooked, a_desk
from tests.db.outbox.receiver import HERE, Receiver, listening
from tests.db.outbox.sink import Sink, running
from tests.unit.outbox.letters import a_house


@dataclass
class Outbox:
    """What the tests do with it."""

    database: Database
    blobs: Blobs
    house: House

    def put(self, key: str = "reply:9", **different: Any) -> bool:
        """Queue Alice's answer to Carol, or something that differs from it."""
        with self.database.transaction() as s:
            return actions.put(s, self.draft(key, **different), now=time_of(s))

    def draft(self, key: str = "reply:9", **different: Any) -> Draft:
        """Alice's answer to Carol."""
        values: dict[str, Any] = {
            "kind": Kind.REPLY,
            "dedupe_key": key,
            "ticket": 7,
            "message_id": 9,
            "to_address": "carol@acme.example",
            "to_name": "Carol",
            "from_name": "Alice",
            "subject": key,
            "text": "Pull the plug.",
            "in_reply_to": "<first@acme.example>",
            "references": ("<first@acme.example>",),
            "mail_id": actions.new_mail_id(7, 9),
        }
        return Draft(**{**values, **different})

    def process(self, account: Account) -> int:
        """Send everything that is due; how many letters were tried."""
        with line(account) as carrier:
            return self.carry(carrier)

    def carry(self, carrier: Carrier, signatures: Signatures | None = None) -> int:
        """The same, by a carrier that is already there."""
        tried = 0
        while process_one(self.database, self.house, carrier, self.blobs, signatures):
            tried += 1
        return tried

    def letter(self, key: str = "reply:9") -> Letter:
        """A row as it stands."""
        with self.database.transaction() as s:
            return s.scalars(select(Letter).where(Letter.dedupe_key == key)).one()

    def relay(self) -> Relay | None:
        """The server as it is remembered."""
        with self.database.transaction() as s:
            return s.get(Relay, 1)

    def later(self) -> None:
        """Let so much time pass that everything that waits is due."""
        with self.database.transaction() as s:
            s.execute(update(Letter).where(Letter.next_at.is_not(None)).values(next_at=time_of(s) - timedelta(seconds=1)))
            s.execute(update(Relay).where(Relay.next_try_at.is_not(None)).values(next_try_at=time_of(s) - timedelta(seconds=1)))

    def recover(self) -> int:
        """What a sender does when it starts."""
        with self.database.transaction() as s:
            return actions.recover(s)

    def not_delivered(self) -> list[dict[str, Any]]:
        """What the audit says could not be delivered."""
        with self.database.transaction() as s:
            return list(s.scalars(select(Entry.data).where(Entry.kind == Event.MAIL_NOT_DELIVERED).order_by(Entry.seq)))


@contextmanager
def line(account: Account) -> Iterator[Line]:
    """A line that is closed afterwards."""
    opened = Line(account, connecting=2.0, accepting=5.0)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def outbox(database: Database, tmp_path: Path) -> Outbox:
    """An empty outbox."""
    return Outbox(database, Blobs(tmp_path / "files"), a_house())


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server that takes everything from everybody."""
    with running(Sink()) as server:
        yield server


@pytest.fixture
def guarded() -> Iterator[Sink]:
    """A server that wants a password."""
    with running(Sink(), sign_in=True) as server:
        yield server


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A program on one's own network that is told things."""
    monkeypatch.setattr(webhook, "is_near", lambda address: address == ip_address(HERE))
    with listening() as made:
        yield made


@pytest.fixture
def hooked(database: Database, tmp_path: Path) -> Hooked:
    """A desk that tells programs things."""
    return a_desk(database, tmp_path)
