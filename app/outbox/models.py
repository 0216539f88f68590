"""Letters that wait, were sent, or could not be; and how the server that carries them is doing."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table, words


class Kind(StrEnum):
    """A person's words are sent again when it is unknown whether they arrived; a notice never is."""

    REPLY = "reply"
    ACKNOWLEDGEMENT = "acknowledgement"
    NOTICE = "notice"


class State(StrEnum):
    """`unknown`: the connection broke after the text was handed over, and sending again might double a notice."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


_WAITS = sql("next_at IS NOT NULL")
_UNFINISHED = sql("state IN ('queued', 'sending')")
_UNKNOWN = sql("state = 'unknown'")
_ACKNOWLEDGES = sql("kind = 'acknowledgement'")
_DOMAIN = sql("split_part(to_address, '@', 2)")


class Letter(Table):
    """One mail to one address. Its Message-ID is fixed when the row is made, so that a resend is the same mail.

    `mail_id` and what `in_reply_to` and `references` hold of ours are bare Message-IDs, others' are whole ("<…>"): see
    House. `next_at` is set while the letter is queued and only then. `doubts` counts how often its fate stayed unknown.
    `from_address` is None for the desk's own address. `link` is the page of a one-time link, which the sender makes from the
    letter's id: its token is stored nowhere. `follower` is the person who gets it because they follow the ticket, and None where
    it goes for any other reason.
    """

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[Kind] = mapped_column(words(Kind, "kind"))
    state: Mapped[State] = mapped_column(words(State, "state"))
    ticket: Mapped[int | None] = mapped_column(index=True)
    message_id: Mapped[int | None] = mapped_column(index=True)
    to_address: Mapped[str]
    to_name: Mapped[str]
    from_name: Mapped[str]
    from_address: Mapped[str | None]
    subject: Mapped[str]
    text: Mapped[str]
    link: Mapped[str | None]
    follower: Mapped[int | None]
    mail_id: Mapped[str] = mapped_column(index=True)
    in_reply_to: Mapped[str | None]
    references: Mapped[list[Any]] = mapped_column("reference_ids")
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    attempts: Mapped[int]
    doubts: Mapped[int]
    last_error: Mapped[str | None]
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        Index("outbox_due_idx", "next_at", postgresql_where=_WAITS),
        Index("outbox_unfinished_idx", "ticket", "to_address", "id", postgresql_where=_UNFINISHED),
        Index("outbox_unknown_idx", "id", postgresql_where=_UNKNOWN),
        Index("outbox_acknowledgement_idx", "to_address", "created_at", postgresql_where=_ACKNOWLEDGES),
        Index("outbox_acknowledged_domain_idx", _DOMAIN, "created_at", postgresql_where=_ACKNOWLEDGES),
    )


class RelayState(StrEnum):
    """`refused`: it does not let us in (password, certificate, sender), which a person has to mend."""

    OK = "ok"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class Relay(Table):
    """The server that carries our mail: one row, or none before the first trouble.

    Nothing is sent before `next_try_at`, unless the settings are no longer those the trouble was with.
    """

    __tablename__ = "relay"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[RelayState] = mapped_column(words(RelayState, "state"))
    since: Mapped[datetime]
    reason: Mapped[str | None]
    next_try_at: Mapped[datetime | None]
    failures: Mapped[int]
    settings: Mapped[str]


class Cause(StrEnum):
    """Why an address gets no more mail: `hard`, nobody is there; `soft`, it failed for days; `complaint`, it is unwanted."""

    HARD = "hard"
    SOFT = "soft"
    COMPLAINT = "complaint"


class Suppression(Table):
    """An address that mail did not reach, or whose reader complained. With `since`, it is suppressed: see suppression.py.

    `days` is on how many days in a row of failures mail did not arrive, the last time at `failed_at`.
    """

    __tablename__ = "suppression"
    address: Mapped[str] = mapped_column(primary_key=True)
    cause: Mapped[Cause] = mapped_column(words(Cause, "cause"))
    reason: Mapped[str]
    days: Mapped[int]
    failed_at: Mapped[datetime | None]
    since: Mapped[datetime | None] = mapped_column(index=True)
