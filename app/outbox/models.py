"""Letters that wait, were sent, or could not be; how their server is doing; and what programs elsewhere are told."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.models import Person
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


class Topic(StrEnum):
    """What a program elsewhere can be told of. Of `ticket.deadline` only by the steps of a ladder that name its webhook."""

    TICKET_CREATED = "ticket.created"
    TICKET_ANSWERED = "ticket.answered"
    TICKET_STATUS_CHANGED = "ticket.status_changed"
    TICKET_DEADLINE = "ticket.deadline"
    DESK_WARNING = "desk.warning"
    DESK_WARNING_CLEARED = "desk.warning_cleared"


class Webhook(Table):
    """A program elsewhere that is told of what happens, by POST to its address.

    `secret` is sealed; the one before, `old_secret`, signs too for a day from `rotated_at`. `own_network` is True where the
    address may be on a network of one's own, which only a shell says. Everything up to `after_seq` of the audit's chain became
    deliveries already. `failures` counts in a row, since `failing_since`; nothing is sent before `next_try_at`. With `off_at`
    nothing is sent at all: somebody switched it off, or the desk did, as `failing_since` tells. `created_by_id` is None for the
    shell.
    """

    __tablename__ = "webhook"
    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    secret: Mapped[bytes]
    old_secret: Mapped[bytes | None]
    rotated_at: Mapped[datetime | None]
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    own_network: Mapped[bool]
    after_seq: Mapped[int]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id))
    off_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    problem: Mapped[str | None]
    next_try_at: Mapped[datetime | None]
    last_ok_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=1)


class DeliveryState(StrEnum):
    """`given_up`: it was refused for five days, or its webhook was switched off or removed."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Delivery(Table):
    """One thing that one webhook is told: the same `event_id` and `body` at each try.

    `next_at` is set while it waits and only then; who takes it to send it sets it ahead, so that it is sent again where they
    perish. `status` is what was answered last, and `problem` why that is not enough. One that tells of a deadline is
    evidence, and outlives its webhook.
    """

    __tablename__ = "webhook_delivery"
    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey(Webhook.id, ondelete="SET NULL"))
    event_id: Mapped[str]
    topic: Mapped[str]
    body: Mapped[str]
    state: Mapped[DeliveryState] = mapped_column(words(DeliveryState, "state"), default=DeliveryState.WAITING)
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    status: Mapped[int | None]
    problem: Mapped[str | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        Index("webhook_delivery_webhook_idx", "webhook_id", "id"),
        Index("webhook_delivery_due_idx", "webhook_id", "next_at", postgresql_where=_WAITS),
        Index("webhook_delivery_ended_idx", "ended_at", postgresql_where=sql("ended_at IS NOT NULL")),
    )
