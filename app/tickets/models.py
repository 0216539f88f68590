"""Tickets and what was said on them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, ForeignKey, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Organization, Person, Team
from app.core.priority import Priority
from app.db.types import Table, words
from app.tickets.rules import FieldKind, LinkKind, Required, Status, WatcherKind

# As lists are sorted by them.
_RANK_OF_PRIORITY = "array_position(ARRAY['low', 'medium', 'high', 'urgent'], CAST(priority AS text))"
_RANK_OF_STATUS = (
    "array_position(ARRAY['new', 'accepted', 'in_progress', 'waiting_customer', 'resolved', 'closed', 'cancelled'],"
    " CAST(status AS text))"
)


class Channel(StrEnum):
    """How a ticket or a message came."""

    MAIL = "mail"
    PAGE = "page"
    API = "api"


class Ticket(Table):
    """A matter somebody wants settled. `number` is its key and what people call it by.

    `revision` counts its changes (the ETag). `fields` holds custom fields' values by their keys. A ticket that was merged
    has `merged_into`, and `conversation` names the ticket at the end of that chain, whose conversation its messages are part
    of. One in the trash has `trashed_at`, by whom and why. `snoozed_until` hides it from the lists of what is to be done.
    `desk_address` is where the first mail came in, and where answers are sent from; None is the desk's own.
    """

    __tablename__ = "ticket"
    number: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    status: Mapped[Status] = mapped_column(words(Status, "status"))
    priority: Mapped[Priority] = mapped_column(words(Priority, "priority"))
    channel: Mapped[Channel] = mapped_column(words(Channel, "channel"))
    requester_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}", default=list)
    fields: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    follows: Mapped[int | None] = mapped_column(ForeignKey("ticket.number"))
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("ticket.number"))
    conversation: Mapped[int | None] = mapped_column(ForeignKey("ticket.number"))
    revision: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    first_replied_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    trashed_at: Mapped[datetime | None]
    trashed_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    trash_reason: Mapped[str | None]
    desk_address: Mapped[str | None]

    requester: Mapped[Person] = relationship(foreign_keys=[requester_id], lazy="joined", innerjoin=True)
    assignee: Mapped[Person | None] = relationship(foreign_keys=[assignee_id], lazy="joined")
    organization: Mapped[Organization | None] = relationship(lazy="joined")
    team: Mapped[Team | None] = relationship(lazy="joined")

    __table_args__ = (
        Index("ticket_updated_idx", "updated_at", "number"),
        Index("ticket_created_idx", "created_at", "number"),
        Index("ticket_requester_idx", "requester_id", "updated_at", "number"),
        Index("ticket_organization_idx", "organization_id", "updated_at", "number"),
        Index("ticket_team_idx", "team_id", "updated_at", "number"),
        Index("ticket_assignee_idx", "assignee_id", "updated_at", "number"),
        Index("ticket_team_number_idx", "team_id", "number"),
        Index("ticket_assignee_number_idx", "assignee_id", "number"),
        Index("ticket_status_idx", "status", "updated_at", "number"),
        Index("ticket_tags_idx", "tags", postgresql_using="gin"),
        Index("ticket_fields_idx", "fields", postgresql_using="gin", postgresql_ops={"fields": "jsonb_path_ops"}),
        Index("ticket_teamless_idx", "updated_at", "number", postgresql_where=sql("team_id IS NULL")),
        Index(
            "ticket_open_idx",
            "updated_at",
            "number",
            postgresql_where=sql("status IN ('new', 'accepted', 'in_progress', 'waiting_customer')"),
        ),
        Index("ticket_priority_idx", sql(_RANK_OF_PRIORITY), "number"),
        Index("ticket_state_idx", sql(_RANK_OF_STATUS), "number"),
        Index("ticket_subject_idx", sql('lower("left"(subject, 100))'), "number"),
        Index("ticket_snoozed_idx", "snoozed_until", postgresql_where=sql("snoozed_until IS NOT NULL")),
        Index("ticket_conversation_idx", "conversation", postgresql_where=sql("conversation IS NOT NULL")),
        Index("ticket_trashed_idx", "trashed_at", postgresql_where=sql("trashed_at IS NOT NULL")),
    )


class Message(Table):
    """Something said on a ticket: by its requester, by an agent, or between agents (`internal`).

    `mail_id` is the Message-ID it came or goes with; `auto` marks what a machine sent. `text` is what was said as plain
    text, `html` the same made harmless by `html_policy`, where it came as HTML; a policy of None is never made anew. `folds`
    are the parts of the text that pages fold (`folding`); `cards` the events of calendars that came with it.
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
    folds: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    cards: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    mail_id: Mapped[str | None] = mapped_column(index=True)
    inbound_mail_id: Mapped[int | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]

    author: Mapped[Person] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        Index("message_ticket_idx", "ticket", "id"),
        Index("message_public_idx", "ticket", "id", postgresql_where=sql("NOT internal")),
        Index(
            "message_html_policy_idx",
            "html_policy",
            "id",
            postgresql_where=sql("html_policy IS NOT NULL AND inbound_mail_id IS NOT NULL"),
        ),
    )


class PlannedAnswer(Table):
    """An agent's answer that is not given yet: it goes out at `due_at`, and leaves the ticket in the status `then`.

    Where it could not, `problem` says why and `due_at` is None. `files` are what a message's become (files.actions.File).
    """

    __tablename__ = "planned_answer"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.number"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    text: Mapped[str]
    files: Mapped[list[Any]]
    then: Mapped[Status | None] = mapped_column(words(Status, "then"))
    channel: Mapped[Channel] = mapped_column(words(Channel, "channel"))
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    problem: Mapped[str | None]

    author: Mapped[Person] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (Index("planned_answer_due_idx", "due_at", postgresql_where=sql("due_at IS NOT NULL")),)


class Watcher(Table):
    """Somebody who follows a ticket: a `cc` gets a copy of every answer from then on, an `agent` a notice of what others say."""

    __tablename__ = "watcher"
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.number"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    kind: Mapped[WatcherKind] = mapped_column(words(WatcherKind, "kind"), primary_key=True)
    added_at: Mapped[datetime]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class Mention(Table):
    """Somebody of the staff whom a note names with @."""

    __tablename__ = "mention"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)


class Tag(Table):
    """A word for tickets. Only the staff sees tags."""

    __tablename__ = "tag"
    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)


class Field(Table):
    """A custom field of a team's tickets, or of all (`team_id` is null). `choices` are the words of the two choice kinds."""

    __tablename__ = "custom_field"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    label: Mapped[str]
    kind: Mapped[FieldKind] = mapped_column(words(FieldKind, "kind"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    choices: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    required: Mapped[Required] = mapped_column(words(Required, "required"))
    shown_to_customers: Mapped[bool]
    position: Mapped[int]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)


class Link(Table):
    """`ticket` is the parent of, blocks, is a duplicate of, or is related to `other` (then the smaller number comes first)."""

    __tablename__ = "ticket_link"
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.number"), primary_key=True)
    other: Mapped[int] = mapped_column(ForeignKey("ticket.number"), primary_key=True, index=True)
    kind: Mapped[LinkKind] = mapped_column(words(LinkKind, "kind"), primary_key=True)
    linked_at: Mapped[datetime]
    linked_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


class Merge(Table):
    """One ticket that became part of another. `detail` holds what undoing it has to put back."""

    __tablename__ = "merge"
    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[int] = mapped_column(ForeignKey("ticket.number"), index=True)
    target: Mapped[int] = mapped_column(ForeignKey("ticket.number"), index=True)
    detail: Mapped[dict[str, Any]]
    merged_at: Mapped[datetime]
    merged_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class Bulk(Table):
    """One change of many tickets at once (`change` is the request); it can be reverted as a whole."""

    __tablename__ = "bulk"
    id: Mapped[int] = mapped_column(primary_key=True)
    change: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]
    made_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    reverted_at: Mapped[datetime | None]
    reverted_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class BulkTicket(Table):
    """What a bulk change did to one ticket: the values before and after, or why it was refused.

    `kept` is why reverting it left this ticket alone.
    """

    __tablename__ = "bulk_ticket"
    bulk_id: Mapped[int] = mapped_column(ForeignKey("bulk.id", ondelete="CASCADE"), primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.number"), primary_key=True)
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    refusal: Mapped[str | None]
    kept: Mapped[str | None]


class View(Table):
    """A saved search: one person's (`owner_id`), a team's (`team_id`), or, with neither, everybody's who works here."""

    __tablename__ = "view"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    query: Mapped[str]
    sort: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    position: Mapped[int]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)


class TicketText(Table):
    """The words of a ticket, for finding it: those that customers may see, and all of them."""

    __tablename__ = "ticket_text"
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.number"), primary_key=True, autoincrement=False)
    shown: Mapped[str] = mapped_column(TSVECTOR)
    whole: Mapped[str] = mapped_column(TSVECTOR)

    __table_args__ = (
        Index("ticket_text_shown_idx", "shown", postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 256}),
        Index("ticket_text_whole_idx", "whole", postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 256}),
    )
