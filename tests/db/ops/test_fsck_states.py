"""`atum fsck` names what no process will take on, and a key that is not the one secrets were sealed with."""

from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import select, text

from app.accounts.models import Person
from app.config import Settings
from app.core import ids
from app.db.session import Database
from app.db.session import now as database_now
from app.files import actions as files
from app.files.disk import Blobs
from app.intake.models import InboundMail
from app.intake.rules.states import MailState
from app.ops import fsck
from app.tickets import actions as tickets
from app.tickets.actions import Body, Source
from app.tickets.models import Channel
from tests.cast import assemble
from tests.db.intake.conftest import a_mailbox

pytestmark = pytest.mark.db
MONTHS = 61 * 24 * 3600


@pytest.fixture
def desk(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A ticket with a file, and two mails, one of them large."""
    for name, value in {"DATABASE_URL": database.dsn, "DATA_DIR": settings.data_dir, "RUN_DIR": settings.run_dir}.items():
        monkeypatch.setenv(name, str(value))
    file = files.keep(Blobs(settings.data_dir / "files"), name="a.txt", content=b"a file")
    with database.transaction() as s:
        now = database_now(s)
        assemble(s, now)
        alice, carol = (s.scalars(select(Person).where(Person.name == name)).one() for name in ("Alice", "Carol"))
        source, body = Source(Channel.PAGE), Body("It burns.")
        ticket = tickets.open(s, requester=carol, by=carol, subject="Fire", body=body, source=source, now=now, gate=False)
        tickets.reply(s, ticket, by=alice, body=Body("Pull the plug."), source=source, files=[file], now=now)
        large = Blobs(settings.data_dir / "mail").put(b"large")
        mailbox = a_mailbox(s, now)
        for uid, blob in enumerate((None, large), 1):
            mail = InboundMail(mailbox=mailbox, uidvalidity=1, uid=uid, size=5, raw=None if blob else b"small", blob=blob)
            mail.raw_sha256, mail.header_only, mail.attempts = blob or ids.sha256(b"small"), False, 1
            mail.state, mail.received_at, mail.taken_at = MailState.IGNORED, now, now - timedelta(days=90)
            mail.processed_at = now
            s.add(mail)
            s.flush()
        s.execute(text("UPDATE attachment SET created_at = created_at - interval '90 days'"))
    return settings


def found(database: Database, settings: Settings) -> list[tuple[str, str]]:
    return [(one.check, one.what) for one in fsck.look(database, settings)]


DAMAGE: dict[str, tuple[LiteralString, str, str]] = {
    "a mail's outcome": ("UPDATE inbound_mail SET state = 'new' WHERE uid = 1", "mail", "is new, but was processed"),
    "a message's mail": (
        "UPDATE message SET inbound_mail_id = 999 WHERE id = (SELECT min(id) FROM message)",
        "rows",
        "1 of message are of inbound_mail 999",
    ),
    "a letter's time": ("UPDATE outbox SET next_at = NULL", "outbox", "nobody will take it on"),
    "a password": (r"UPDATE mailbox SET password = '\x0102'", "secrets", "was sealed with another key"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_a_row_lost_is_named(desk: Settings, database: Database, server: str, name: str) -> None:
    statement, check, words = DAMAGE[name]
    options = "-c session_replication_role=replica"  # behind the back of triggers
    with psycopg.connect(f"{server}/{conninfo_to_dict(database.dsn)['dbname']}", options=options) as c:
        c.execute(statement)
    every = found(database, desk)
    assert every != []
    assert [one for one in every if one[0] != check or words not in one[1]] == []


def test_a_lost_key_is_named(desk: Settings, database: Database) -> None:
    (desk.data_dir / "secrets" / "secret_key").unlink()
    assert found(database, desk) == [("secrets", "secrets/secret_key is missing or damaged")]
