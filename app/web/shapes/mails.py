"""Mails of the ledger, as programs read them."""

from datetime import datetime

from app.intake.rules.authentication import Verdict
from app.intake.rules.seal import SealState
from app.intake.rules.states import MailState
from app.outbox.models import Cause
from app.web.shapes import Answer
from app.web.shapes.desk import PathKey

__all__ = ["SOURCES", "Mail", "Mails", "PathKey", "Suppressed", "Suppressions"]

# What the ledger's query calls each field.
SOURCES = {
    "id": "id",
    "mailbox": "mailbox",
    "state": "state",
    "reason": "reason",
    "sender": "sender",
    "subject": "subject",
    "message_id": "mail_id",
    "verdict": "verdict",
    "seal": "seal",
    "seal_words": "seal_words",
    "ticket": "ticket",
    "size": "size",
    "received_at": "received_at",
    "taken_at": "taken_at",
    "released_at": "released_at",
}


class Mail(Answer):
    """One mail: `state` is what became of it and `reason` why. `sender` is who it says it is from, and `verdict` whether it is.

    `seal` is what its signature shows, or that it is encrypted (S/MIME, OpenPGP); `seal_words` says so. It grants nothing.
    `ticket` is where it stands, or the ticket that tells of it. `size` is in bytes.
    """

    id: int
    mailbox: str
    state: MailState
    reason: str | None
    sender: str | None
    subject: str | None
    message_id: str | None
    verdict: Verdict | None
    seal: SealState | None
    seal_words: str | None
    ticket: int | None
    size: int
    received_at: datetime
    taken_at: datetime
    released_at: datetime | None


class Mails(Answer):
    """Mails, the last first."""

    items: list[Mail]
    next: str | None


class Suppressed(Answer):
    """An address and why no mail goes there: nobody is there (`hard`), mail failed for days (`soft`), or its reader complained
    (`complaint`), and then what a person wrote is still sent.
    """

    address: str
    cause: Cause
    since: datetime
    reason: str


class Suppressions(Answer):
    """Addresses that get no more mail, the last ones first."""

    items: list[Suppressed]
    next: str | None
