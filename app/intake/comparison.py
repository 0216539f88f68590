"""What a server has against what the ledger has: the proof that nothing was lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.config import Settings
from app.db.locks import Keeper
from app.db.session import Database
from app.intake import grants, imap, queries
from app.intake.models import Mailbox


@dataclass(frozen=True)
class Compared:
    """One mailbox: how many mails the server has of those that are ours to take (None: it has no server), and the UIDs of those
    that the ledger lacks.

    `coming` are above the cursor and will be taken next. After a renumbering that was not looked at yet, all are. `withheld`
    are the UIDs of those that the ledger has a row of, but that the server did not give. `by_smtp` are mails that were brought
    by SMTP: each of them is in the ledger before whoever brought it is told that it was taken, so none can be missing.
    """

    mailbox: str
    on_server: int | None
    missing: Sequence[int]
    coming: int
    withheld: Sequence[int]
    by_smtp: int


def compare(database: Database, settings: Settings, mailbox: Mailbox) -> Compared:
    """Ask the server now, by a connection of its own that changes nothing there. Raises MailboxFailure.

    What came before the mailbox was made known is left to whoever read mail there then.
    """
    with database.reading() as c:
        by_smtp = queries.brought(c, mailbox)
    if mailbox.smtp_only:
        return Compared(mailbox.name, None, [], 0, [], by_smtp)
    keeper = Keeper(database.dsn, name="ledger")
    with imap.opened(grants.account(database, keeper, mailbox, settings)) as folder:
        listed = folder.since(mailbox.created_at)
        uidvalidity = folder.uidvalidity
    with database.reading() as c:
        lacking = queries.not_taken(c, mailbox, listed, uidvalidity=uidvalidity)
        withheld = [uid for _, uid, _ in queries.withheld(c, mailbox, uidvalidity=uidvalidity)]
    known = mailbox.uidvalidity == uidvalidity
    missing = [uid for uid in lacking if known and uid <= mailbox.last_uid]
    return Compared(mailbox.name, len(listed), missing, len(lacking) - len(missing), withheld, by_smtp)
