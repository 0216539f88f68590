"""Mail that is brought to us by SMTP: which mailboxes it may be for, and the first transaction of each.

An IMAP mailbox takes what comes to its address by SMTP too, so that the same mail by both ways is one. For an address that no
mailbox has there is a mailbox of its own, without a server.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core import ids, text
from app.core.errors import Conflict, Invalid
from app.db.session import Session
from app.files.disk import Blobs
from app.intake import queries
from app.intake.actions import IN_THE_ROW
from app.intake.models import BY_SMTP, InboundMail, Mailbox, smtp_in_uid
from app.intake.rules.recipients import Recipients
from app.intake.rules.states import MailState

WAKE = "mail_wake"  # the channel of NOTIFY


def own_address(settings: Settings) -> str:
    """The address that the desk itself has in the domains whose mail it takes: the one it sends from, else a postmaster's."""
    sends_from = text.address(settings.smtp_from or "")
    if sends_from.rpartition("@")[2] in settings.smtp_in_domains:
        return sends_from
    return f"postmaster@{settings.smtp_in_domains[0]}"


def ensure(s: Session, settings: Settings, *, now: datetime) -> None:
    """A mailbox for the desk's own address, where mail comes in by SMTP and no mailbox has that address yet."""
    if settings.smtp_in and own_address(settings) not in queries.addresses(s):
        add(s, own_address(settings), now=now)


def add(s: Session, address: str, *, now: datetime) -> Mailbox:
    """Take mail to this address from now on. One that was removed before comes back. Raises Invalid and Conflict."""
    address = text.address(address)
    if not text.is_address(address) or "+" in address:
        raise Invalid(f"{address!r} is not an address of a mailbox; write it like support@example.com.")
    if address in queries.addresses(s):
        raise Conflict(f"There is a mailbox {address} already; what comes by SMTP to its address is taken into it.")
    found = s.scalar(select(Mailbox).where(Mailbox.smtp_only, Mailbox.address == address).with_for_update())
    made = found or Mailbox(
        name=address,
        address=address,
        host="",
        port=25,
        tls=False,
        username=address,
        folder="",
        smtp_only=True,
        created_at=now,
    )
    made.removed_at = made.paused_at = None
    s.add(made)
    s.flush()
    audit.record(s, Event.MAILBOX_CHANGED, now=now, mailbox=made.name, by_smtp=True, new=True)
    return made


def recipients(c: Connection, settings: Settings) -> Recipients:
    """Whose mail is taken just now. Of several mailboxes with one address, one that is read by IMAP comes first."""
    columns = (Mailbox.id, Mailbox.address, Mailbox.paused_at)
    used = select(*columns).where(Mailbox.removed_at.is_(None)).order_by(Mailbox.smtp_only.desc(), Mailbox.id.desc())
    rows = c.execute(used).all()
    ours = {row.address: row.id for row in rows if row.address.rpartition("@")[2] in settings.smtp_in_domains}
    desk = ours.get(own_address(settings)) or min(ours.values(), default=None)
    paused = frozenset(row.id for row in rows if row.paused_at is not None)
    return Recipients(frozenset(settings.smtp_in_domains), ours, desk, paused)


def kept(pieces: Iterable[bytes], *, size: int, large: Blobs) -> dict[str, object]:
    """A mail's bytes brought to where they stay, or ready for the row. `size` is about how many there are."""
    if size > IN_THE_ROW:
        name, size = large.put_pieces(pieces)
        return {"raw_sha256": name, "size": size, "blob": name}
    raw = b"".join(pieces)
    return {"raw_sha256": ids.sha256(raw), "size": len(raw), "raw": raw}


def take(s: Session, came: Mapping[int, Mapping[str, object]], *, now: datetime) -> None:
    """Make a mail ours: a row for each mailbox it came to, with what `kept` gave, and a word to the poller."""
    for mailbox_id, content in came.items():
        s.execute(
            insert(InboundMail).values(
                **content,
                mailbox_id=mailbox_id,
                uidvalidity=BY_SMTP,
                uid=smtp_in_uid.next_value(),
                header_only=False,
                received_at=now,
                taken_at=now,
                state=MailState.NEW,
                attempts=0,
                server_acked_at=now,
            )
        )
    s.execute(select(func.pg_notify(WAKE, "")))
