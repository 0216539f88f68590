"""A desk with webhooks, and time that passes when a test says so."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Interval, literal, select, update

from app import config
from app.accounts import actions as accounts
from app.accounts import queries
from app.accounts.rules import Role
from app.audit import actions as audit
from app.audit.models import Entry, Event
from app.config import Settings
from app.db.session import Database
from app.db.session import now as time_of
from app.outbox import telling, webhooks
from app.outbox.models import Delivery, Letter, Topic, Webhook
from app.outbox.webhook import Teller
from tests.db.outbox.receiver import Receiver

URL = "https://desk.example"


@dataclass
class Hooked:
    """What the tests do with it."""

    database: Database
    settings: Settings
    teller: Teller = field(init=False)

    def __post_init__(self) -> None:
        self.teller = Teller(self.database, self.settings)

    def add(self, receiver: Receiver | str, *topics: Topic, own_network: bool = True) -> tuple[int, str]:
        """The number of a new webhook, and what it signs by."""
        url = receiver if isinstance(receiver, str) else receiver.url
        with self.database.transaction() as s:
            made, secret = webhooks.add(s, self.settings, url, topics or list(Topic), own_network=own_network, now=time_of(s))
            return made.id, secret

    def happens(self, kind: Event = Event.TICKET_OPENED, ticket: int | None = 7, **data: Any) -> None:
        """Something, to a ticket."""
        with self.database.transaction() as s:
            audit.record(s, kind, now=time_of(s), ticket=ticket, **data)

    def follow(self) -> int:
        with self.database.transaction() as s:
            return telling.follow(s, self.settings.atum_url, now=time_of(s))

    def turn(self) -> None:
        """What the process does: follow what happened, and tell whoever there is something for."""
        self.follow()
        for id in self.teller.due():
            while self.teller.tell(id):
                pass

    def root_is_in(self, zone: str) -> None:
        """The administrator lives there."""
        with self.database.transaction() as s:
            root = queries.by_email(s, "root@desk.example")
            assert root
            accounts.set_zone(s, root, zone, by=None, now=time_of(s))

    def later(self, length: timedelta) -> None:
        """So much time passes: all that was, was so much earlier."""
        ago = literal(length, Interval())
        with self.database.transaction() as s:
            for table, names in {
                Webhook: ("created_at", "rotated_at", "off_at", "failing_since", "next_try_at", "last_ok_at"),
                Delivery: ("created_at", "next_at", "ended_at"),
            }.items():
                columns = table.__table__.c
                s.execute(update(table).values({name: columns[name] - ago for name in names}))

    def webhook(self, id: int) -> Webhook:
        with self.database.transaction() as s:
            return s.get_one(Webhook, id)

    def shown(self, id: int) -> dict[str, Any]:
        with self.database.reading() as c:
            return webhooks.shown(c, id)

    def deliveries(self, id: int) -> list[Delivery]:
        with self.database.transaction() as s:
            return list(s.scalars(select(Delivery).where(Delivery.webhook_id == id).order_by(Delivery.id)))

    def change(self, id: int, **what: Any) -> None:
        with self.database.transaction() as s:
            webhooks.change(s, webhooks.held(s, id), **what, now=time_of(s))

    def letters(self) -> list[Letter]:
        with self.database.transaction() as s:
            return list(s.scalars(select(Letter).order_by(Letter.id)))

    def audited(self) -> list[Entry]:
        with self.database.transaction() as s:
            return list(s.scalars(select(Entry).order_by(Entry.seq)))


def a_desk(database: Database, folder: Path, *, secret: str = "ab") -> Hooked:
    """One with an administrator."""
    (folder / "secrets").mkdir()
    (folder / "secrets" / "secret_key").write_text(secret * 32)
    environ = {"DATABASE_URL": database.dsn, "DATA_DIR": str(folder), "RUN_DIR": str(folder), "ATUM_URL": URL}
    with database.transaction() as s:
        accounts.add(s, email="root@desk.example", name="Root", role=Role.ADMIN, now=time_of(s))
    return Hooked(database, config.load(environ, secrets=folder / "none"))
