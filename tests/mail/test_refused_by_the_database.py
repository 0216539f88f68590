"""What strangers write that PostgreSQL doesn't take: their mail becomes a ticket all the same, and nobody's waits for it."""

import random
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core.errors import Invalid
from app.db.session import Database
from app.db.session import now as database_now
from app.entry.mail_poller import Poller
from app.intake.models import InboundMail, Mailbox
from app.intake.rules.states import MailState
from tests.db.intake.conftest import a_mailbox
from tests.mail.conftest import Desk
from tests.mail.imap_server import Server, eventually
from tests.unit.intake.letters import mail, multipart, part

_letters = random.Random(7)


def noise(many: int, first: int = 0x4E00, last: int = 0x9FA0) -> str:
    """Letters that nothing makes shorter."""
    return "".join(chr(_letters.randrange(first, last)) for _ in range(many))


def rare(many: int) -> str:
    """The same, of four bytes each."""
    return noise(many, 0x20000, 0x2A6D0)


ODD = (
    mail("A Message-ID that no index takes.", mail_id=f"<{rare(890)}>"),
    mail("One without its brackets.", mail_id=rare(890)),
    mail("A thread of them.", mail_id="<3@x>", References=" ".join(f"<{rare(890)}>" for _ in range(16))),
    mail("An answer to one.", mail_id="<4@x>", In_Reply_To=f"<{rare(890)}>"),
    mail("A long subject.", mail_id="<5@x>", subject=rare(5_000)),
    mail("A long sender.", mail_id="<6@x>", sender=f"{rare(64)}@{rare(250)}"),
    mail("Many words: " + " ".join(noise(6) for _ in range(60_000)), mail_id="<7@x>"),
    mail("Long words: " + " ".join(noise(600) for _ in range(300)), mail_id="<8@x>"),
    multipart(part("<p>Half a character: a&#0;b&#xD800;c&#xFFFE;</p>", "text/html"), mail_id="<9@x>"),
    multipart(
        part('<img src="cid:a%00b@x"><img src="cid:a&#0;b@x">', "text/html"),
        part("GIF89a", 'image/gif; name="a\0b.gif"', Content_ID="<a\0b@x>"),
        mail_id="<10@x>",
    ),
)


def test_whatever_the_database_would_refuse_becomes_a_ticket_and_stops_nobody(desk: Desk, peer: Server) -> None:
    worker: Any = SimpleNamespace(settings=desk.boot(), stop=threading.Event(), beat=lambda: None)
    poller = Poller(worker, desk.database, desk.reader)
    peer.add(*ODD, mail("Ordinary.", mail_id="<ordinary@acme.example>"))

    def outcomes() -> list[MailState]:
        with desk.database.transaction() as s:
            return list(s.scalars(select(InboundMail.state).order_by(InboundMail.id)))

    def through() -> bool:
        poller.once()
        return len(found := outcomes()) == len(ODD) + 1 and MailState.NEW not in found

    try:
        eventually(through, within=60)
    finally:
        poller.close()
    assert outcomes() == [MailState.DONE] * (len(ODD) + 1)


def test_a_value_that_is_too_much_is_no_database_that_is_gone(database: Database) -> None:
    """Else whoever waits for the database to come back waits for ever."""
    with database.transaction() as s:
        a_mailbox(s, database_now(s))
    longer = update(Mailbox).values(name=rare(890), host=rare(890))
    with pytest.raises(Invalid, match="longer than the database takes"), database.transaction() as s:
        s.execute(longer)
