"""Old mails' HTML made harmless anew, from the bytes as they came, when the policy for it has changed.

What people read stays: the text and its words for searching, who was told, and when anything changed.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import select, update

from app.config import Settings
from app.core import ids
from app.core.errors import DeskError
from app.core.html_policy import POLICY
from app.db.session import Database, DatabaseGone, Session
from app.files.models import Attachment
from app.intake import actions
from app.intake.reader import Reader, Unreadable
from app.intake.rules.mail import Found, Mail
from app.tickets.models import Message

AT_ONCE = 5


class Redoing:
    """Goes through what an older policy made, oldest first. Whatever is done is found done after a restart."""

    def __init__(self, database: Database, settings: Settings, *, reader: Reader, beat: Callable[[], None]) -> None:
        self._database = database
        self._settings = settings
        self._reader = reader
        self._beat = beat
        self.done = self.left = 0

    def waiting(self, limit: int = AT_ONCE) -> Sequence[tuple[int, int]]:
        """The next messages, each with its mail's number in the ledger."""
        older = select(Message.id, Message.inbound_mail_id).where(
            Message.html_policy < POLICY, Message.inbound_mail_id.is_not(None)
        )
        with self._database.reading() as c:
            rows = c.execute(older.order_by(Message.html_policy, Message.id).limit(limit))
            return [(message, mail) for message, mail in rows if mail is not None]

    def redo(self, message: int, mail: int) -> None:
        """One of them, in a transaction of its own. What can't be read any more is left as it is, and never tried again."""
        self._beat()
        found: list[Found] = []
        try:
            with self._database.reading() as c:
                raw = actions.kept(c, self._settings, mail)
            if not raw:
                raise Unreadable("its bytes are gone")
            read = self._reader.read(raw, found.append)
        except DatabaseGone:
            raise  # a DeskError too, but not the mail's fault
        except (Unreadable, DeskError):
            self.leave(message)
            return
        with self._database.transaction() as s:
            _replace(s, message, read, found)
        self.done += 1

    def leave(self, message: int) -> None:
        """Keep what there is. It is made harmless by the present policy each time it is shown."""
        with self._database.transaction() as s:
            s.execute(update(Message).where(Message.id == message).values(html_policy=None))
        self.left += 1


def _replace(s: Session, id: int, read: Mail, found: Sequence[Found]) -> None:
    message = s.get(Message, id, with_for_update={"of": Message})
    if message is None or message.html_policy is None or message.html_policy >= POLICY:
        return
    message.html, message.html_policy = read.html, read.html_policy
    if message.text == read.text:
        message.folds = [list(fold) for fold in read.folds]
    for file in found:
        if file.inline:
            unnamed = (Attachment.message_id == id, Attachment.blob == ids.sha256(file.content), Attachment.content_id.is_(None))
            s.execute(update(Attachment).where(*unnamed).values(content_id=file.content_id or file.location))
