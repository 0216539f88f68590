"""Mails on their way into a desk that answers: taken, read and settled as the poller does it, but in this process."""

from contextlib import closing

from sqlalchemy import select

from app.db.session import now as database_now
from app.intake import actions
from app.intake.folder import Fetched
from app.intake.models import InboundMail, Mailbox
from app.intake.processing import Processor
from app.intake.reader import Keep, Known, Reader
from app.intake.rules import read
from app.intake.rules.mail import Mail
from app.tickets.models import Message
from tests.db.intake.conftest import a_mailbox
from tests.web.conftest import Web


class Here(Reader):
    """Reads in this process."""

    def read(self, raw: object, keep: Keep, known: Known = lambda _: ()) -> Mail:
        mail, files = read.mail(raw if isinstance(raw, bytes) else raw.read_bytes())  # type: ignore[attr-defined]
        for file in files:
            keep(file)
        return mail


def processor(web: Web) -> Processor:
    """What gives mails their outcome."""
    key = web.desk.settings.data_dir / "secrets" / "secret_key"
    key.parent.mkdir(exist_ok=True)
    key.write_text("ab" * 32)
    return Processor(web.desk.db, web.desk.settings, reader=Here(), beat=lambda: None)


def taken(web: Web, raw: bytes) -> int:
    """A mail that came, and waits for its outcome; its number."""
    with web.desk.db.transaction() as s:
        now = database_now(s)
        mailbox = s.scalars(select(Mailbox)).first() or a_mailbox(s, now)
        uid = (s.query(InboundMail).count() or 0) + 1
        mail = [Fetched(uid, raw, len(raw), now)]
        actions.take(s, mailbox, mail, uidvalidity=1, large=actions.blobs(web.desk.settings), now=now)
        return s.scalars(select(InboundMail.id).where(InboundMail.uid == uid)).one()


def delivered(web: Web, raw: bytes) -> Message:
    """A mail from its arrival to its message."""
    id = taken(web, raw)
    with closing(Here()):
        processor(web).process(id)
    with web.desk.db.transaction() as s:
        message = s.scalars(select(Message).where(Message.inbound_mail_id == id)).one()
        s.expunge_all()
        return message
