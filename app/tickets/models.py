"""Tickets and what was said on them."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Organization, Person
from app.core.priority import Priority
from app.db.types import Table, words
from app.tickets.rules import Status


class Channel(StrEnum):
    """How a ticket or a message came."""

    MAIL = "mail"
    PAGE = "page"
    API = "api"


class Ticket(Table):
    """A matter somebody wants settled. `number` is its key and what people call it by."""

    __tablename__ = "ticket"
    number: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    status: Mapped[Status] = mapped_column(words(Status, "status"))
    priority: Mapped[Priority] = mapped_column(words(Priority, "priority"))
    channel: Mapped[Channel] = mapped_column(words(Channel, "channel"))
    requester_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"), index=True)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    follows: Mapped[int | None] = mapped_column(ForeignKey("ticket.number"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    requester: Mapped[Person] = relationship(foreign_keys=[requester_id], lazy="joined", innerjoin=True)
    assignee: Mapped[Person | None] = relationship(foreign_keys=[assignee_id], lazy="joined")
    organization: Mapped[Organization | None] = relationship(lazy="joined")

    __table_args__ = (Index("ticket_updated_idx", "updated_at", "number"),)


class Message(Table):
    """Something said on a ticket: by its requester, by an agent, or between agents (`internal`).

    `mail_id` is the Message-ID it came or goes with; `auto` marks what a machine sent. `text` is what was said as plain
    text, `html` the same made harmless, where it came as HTML.
    """

    __tablename__ = "message"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.number"))
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    internal: Mapped[bool]
    from_staff: Mapped[bool]
    auto: Mapped[bool]
    channel: Mapped[Channel] = mapped_column(words(Channel, "channel"))
    text: Mapped[str]
    html: Mapped[str | None]
    html_policy: Mapped[int | None]
    mail_id: Mapped[str | None] = mapped_column(index=True)
    inbound_mail_id: Mapped[int | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]

    author: Mapped[Person] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        Index("message_ticket_idx", "ticket", "id"),
        Index("message_public_idx", "ticket", "id", postgresql_where=sql("NOT internal")),
    )
