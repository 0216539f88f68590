"""Mails of the ledger, as programs read them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.intake.rules.authentication import Verdict
from app.intake.rules.keys import MOST_KEY
from app.intake.rules.seal import SealState
from app.intake.rules.states import MailState
from app.outbox.models import Cause
from app.web.shapes import Address, Answer, Brief, Shape, example
from app.web.shapes.desk import PathKey

__all__ = [
    "SOURCES",
    "Mail",
    "Mails",
    "NewSenderKey",
    "PathKey",
    "SenderKey",
    "SenderKeys",
    "Suppressed",
    "Suppressions",
]

_A_KEY = (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
    "\n"
    "mDMEZ3SFgBYJKwYBBAHaRw8BAQdAtpR13ExNYQrCSxYjqMBWPmKtnLi4XqXlIOJr\n"
    "uWdAbSO0HExhc3RpbmcgPGNhcm9sQGFjbWUuZXhhbXBsZT6IkAQTFggAOBYhBCV3\n"
    "WtrWG7N66j/NeZUDTq59HlswBQJndIWAAhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4B\n"
    "AheAAAoJEJUDTq59HlswhFwBAKxb0s9Qz13Ydjof32fSNMW9k2iRyfVa9/1jj0MJ\n"
    "LV1cAQCYP67ICO1fRKRw/SKT0XpWdAL4MsgLJfpnnueYGs+LCg==\n"
    "=F+OS\n"
    "-----END PGP PUBLIC KEY BLOCK-----\n"
)

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


class NewSenderKey(Shape):
    """An OpenPGP public key, armored, and the address that it belongs to."""

    model_config = Shape.model_config | example(address="carol@acme.example", key=_A_KEY)
    address: Address
    key: Annotated[str, Field(min_length=1, max_length=MOST_KEY + 1000)]


class SenderKey(Answer):
    """A key that somebody confirmed for an address. `people` are who it says it belongs to itself.

    `mail` is the number of the mail that it came with, in the ledger; null where whoever confirmed it brought it.
    """

    id: int
    address: str
    fingerprint: str
    people: list[str]
    expires_at: datetime | None
    mail: int | None
    confirmed_at: datetime
    confirmed_by: Brief


class SenderKeys(Answer):
    """Confirmed keys."""

    items: list[SenderKey]
    next: str | None
