"""The ledger's verbs, in the order that loses nothing and doubles nothing (MAIL.md, "Crash-consistent order").

`take` is the first transaction: from its commit on a mail is ours, raw, and the cursor is behind it. `outcomes.settle` is the
second: one mail, one outcome. `acknowledged` is the third, after the server was told. Killed anywhere between, the next poller
finds the row where it was left: a mail not taken is fetched again, a new row is settled, a settled one is flagged again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from app.audit import actions as audit
from app.audit.models import Event
from app.config import Settings
from app.core import ids, text
from app.core.errors import Conflict, NotFound
from app.db.session import Session
from app.files.disk import Blobs
from app.intake.folder import Fetched
from app.intake.mailboxes import move_cursor
from app.intake.models import InboundMail, Mailbox
from app.intake.rules.states import MailState

IN_THE_ROW = 1_000_000  # bytes; what is larger lies beside the database
MOST_ATTEMPTS = 3
AGAIN = "processed again"
ASIDE = (MailState.QUARANTINED, MailState.IGNORED)

__all__ = [
    "acknowledged",
    "attempted",
    "blobs",
    "drop",
    "drop_acknowledgements",
    "given",
    "kept",
    "raw",
    "release",
    "replay",
    "take",
]


def blobs(settings: Settings) -> Blobs:
    """Where large mails lie as they came."""
    return Blobs(Path(settings.data_dir) / "mail")


def take(
    s: Session,
    mailbox: Mailbox,
    mails: Sequence[Fetched],
    *,
    uidvalidity: int,
    large: Blobs,
    now: datetime,
    move: bool = True,
) -> int:
    """Make these mails ours, and move the cursor behind them; answers how many were new. Raises LeaseLost.

    `move` is False for mails taken out of order: the cursor then moves when all of them are taken.
    """
    rows = [_row(mailbox, mail, uidvalidity, large, now) for mail in mails]
    taken = 0
    if rows:
        made = insert(InboundMail).values(rows).on_conflict_do_nothing(index_elements=["mailbox_id", "uidvalidity", "uid"])
        taken = len(s.execute(made.returning(InboundMail.id)).all())
    if move and mails:
        move_cursor(s, mailbox, uidvalidity=uidvalidity, last_uid=max(m.uid for m in mails))
    return taken


def raw(s: Session | Connection, settings: Settings, id: int) -> bytes | None:
    """A mail as it came; None where there is no such mail."""
    found = kept(s, settings, id)
    return found.read_bytes() if isinstance(found, Path) else found


def kept(s: Session | Connection, settings: Settings, id: int) -> bytes | Path | None:
    """A mail as it came, or where it lies if it is large; None where there is no such mail."""
    found = s.execute(select(InboundMail.raw, InboundMail.blob).where(InboundMail.id == id)).one_or_none()
    if found is None:
        return None
    return found.raw if found.blob is None else blobs(settings).existing(found.blob)


def given(s: Session, id: int, mail: Fetched, *, large: Blobs, now: datetime) -> None:
    """The server gives a mail that it withheld before: it takes the place of what there was, and waits for its outcome."""
    row = s.get(InboundMail, id, with_for_update={"of": InboundMail})
    if row is None or row.refusal is None or row.state is not MailState.QUARANTINED:
        return
    audit.record(s, Event.MAIL_REPLAYED, now=now, ticket=row.ticket, mail=row.id, before=row.state.value, reason=row.reason)
    for name, value in _content(mail, large).items():
        setattr(row, name, value)
    row.state, row.attempts, row.reason, row.processed_at, row.content_key = MailState.NEW, 0, None, None, None


def attempted(s: Session, id: int, reason: str) -> bool:
    """Count a try that failed; whether the mail has had its last."""
    attempts = s.scalar(
        update(InboundMail)
        .where(InboundMail.id == id, InboundMail.state == MailState.NEW)
        .values(attempts=InboundMail.attempts + 1, reason=reason)
        .returning(InboundMail.attempts)
    )
    return attempts is not None and attempts >= MOST_ATTEMPTS


def acknowledged(s: Session, ids: Sequence[int], *, now: datetime) -> None:
    """The server knows that these are ours."""
    s.execute(update(InboundMail).where(InboundMail.id.in_(ids)).values(server_acked_at=now))


def drop_acknowledgements(s: Session, mailbox: Mailbox, *, uidvalidity: int, now: datetime) -> None:
    """Mails under numbers the server no longer uses need not be flagged: nobody can name them any more."""
    s.execute(
        update(InboundMail)
        .where(
            InboundMail.mailbox_id == mailbox.id,
            InboundMail.uidvalidity != uidvalidity,
            InboundMail.server_acked_at.is_(None),
        )
        .values(server_acked_at=now)
    )


def replay(s: Session, id: int, *, by: tuple[int, str] | None = None, now: datetime) -> InboundMail:
    """Process a quarantined or ignored mail again. Raises NotFound, or Conflict for a mail that has become something."""
    row = _set_aside(s, id, AGAIN)
    audit.record(s, Event.MAIL_REPLAYED, now=now, by=by, ticket=row.ticket, mail=row.id, before=row.state.value)
    row.state, row.attempts, row.reason, row.processed_at = MailState.NEW, 0, None, None
    return row


def release(s: Session, id: int, *, by: tuple[int, str] | None = None, now: datetime) -> InboundMail:
    """Process a quarantined mail again, and let it through whichever rule held it. Raises NotFound, Conflict."""
    row = _set_aside(s, id, AGAIN, only=(MailState.QUARANTINED,))
    audit.record(s, Event.MAIL_RELEASED, now=now, by=by, ticket=row.ticket, mail=row.id, reason=row.reason)
    row.state, row.attempts, row.reason, row.processed_at, row.released_at = MailState.NEW, 0, None, None, now
    return row


def drop(s: Session, id: int, *, by: tuple[int, str] | None = None, now: datetime) -> InboundMail:
    """Say of a quarantined mail that nobody has to look at it any more: it becomes an ignored one, and stays as it came."""
    row = _set_aside(s, id, "dropped")
    if row.state is MailState.QUARANTINED:
        audit.record(s, Event.MAIL_DROPPED, now=now, by=by, ticket=row.ticket, mail=row.id, reason=row.reason)
        row.state, row.reason = MailState.IGNORED, text.one_line(f"dropped by hand; before: {row.reason}", most=500)
    return row


def _set_aside(s: Session, id: int, what: str, *, only: Sequence[MailState] = ASIDE) -> InboundMail:
    row = s.get(InboundMail, id, with_for_update={"of": InboundMail})
    if row is None:
        raise NotFound(f"There is no mail {id} in the ledger. List them with: atum mail list")
    if row.refusal and what == AGAIN:
        raise Conflict(f"Mail {id} was never given by its server ({row.refusal}); it is asked for again every 6 hours.")
    if row.state not in only:
        raise Conflict(f"Mail {id} is {row.state}; only {' and '.join(only)} mails can be {what}.")
    return row


def _row(mailbox: Mailbox, mail: Fetched, uidvalidity: int, large: Blobs, now: datetime) -> dict[str, object]:
    return _content(mail, large) | {
        "mailbox_id": mailbox.id,
        "uidvalidity": uidvalidity,
        "uid": mail.uid,
        "size": mail.size,
        "received_at": min(mail.arrived.astimezone(UTC), now) if mail.arrived else now,
        "taken_at": now,
        "state": MailState.NEW,
        "attempts": 0,
    }


def _content(mail: Fetched, large: Blobs) -> dict[str, object]:
    beside = large.put(mail.raw) if len(mail.raw) > IN_THE_ROW else None
    return {
        "raw_sha256": beside or ids.sha256(mail.raw),
        "raw": None if beside else mail.raw,
        "blob": beside,
        "header_only": mail.header_only,
        "refusal": mail.refusal or None,
    }
