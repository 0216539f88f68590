"""The chain of events, and where it ends."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.types import Table, words


class Event(StrEnum):
    """What can happen, in the past tense."""

    TICKET_OPENED = "ticket.opened"
    TICKET_ACCEPTED = "ticket.accepted"
    TICKET_ASSIGNED = "ticket.assigned"
    TICKET_STATUS_CHANGED = "ticket.status_changed"
    TICKET_PRIORITY_CHANGED = "ticket.priority_changed"
    TICKET_REPLIED = "ticket.replied"
    TICKET_NOTED = "ticket.noted"
    TICKET_REOPENED = "ticket.reopened"
    TICKET_FOLLOWED_UP = "ticket.followed_up"
    SLA_WARNED = "sla.warned"
    SLA_BREACHED = "sla.breached"
    SLA_POLICY_CHANGED = "sla.policy_changed"
    MAIL_NOT_DELIVERED = "mail.not_delivered"
    MAIL_QUARANTINED = "mail.quarantined"
    MAILBOX_CHANGED = "mailbox.changed"
    PERSON_ADDED = "person.added"
    PERSON_DISABLED = "person.disabled"
    PASSWORD_CHANGED = "person.password_changed"  # noqa: S105 (an event's name)
    SIGNED_IN = "person.signed_in"
    SIGNED_OUT = "person.signed_out"
    DESK_SET_UP = "desk.set_up"


class Entry(Table):
    """One event. `hash` covers every other column and the hash of the entry before."""

    __tablename__ = "audit_event"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    kind: Mapped[Event] = mapped_column(words(Event, "kind", checked=False))
    actor_id: Mapped[int | None]
    actor: Mapped[str]
    ticket: Mapped[int | None]
    data: Mapped[dict[str, Any]]
    before_hash: Mapped[bytes]
    hash: Mapped[bytes]

    __table_args__ = (Index("audit_event_ticket_idx", "ticket", "seq"),)


class Head(Table):
    """The last link: one row, locked by whoever appends."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    hash: Mapped[bytes]
