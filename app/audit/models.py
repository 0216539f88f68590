"""The chain of events, and where it ends."""

from datetime import date, datetime
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
    TICKET_NOT_REOPENED = "ticket.not_reopened"
    TICKET_FLOODED = "ticket.flooded"
    TICKET_FOLLOWED_UP = "ticket.followed_up"
    TICKET_TEAM_CHANGED = "ticket.team_changed"
    TICKET_SUBJECT_CHANGED = "ticket.subject_changed"
    TICKET_TAGGED = "ticket.tagged"
    TICKET_FIELDS_CHANGED = "ticket.fields_changed"
    TICKET_WATCHED = "ticket.watched"
    TICKET_UNWATCHED = "ticket.unwatched"
    TICKET_LINKED = "ticket.linked"
    TICKET_UNLINKED = "ticket.unlinked"
    TICKET_MERGED = "ticket.merged"
    TICKET_UNMERGED = "ticket.unmerged"
    TICKET_SPLIT = "ticket.split"
    MESSAGE_MOVED = "ticket.message_moved"
    TICKET_TRASHED = "ticket.trashed"
    TICKET_UNDELETED = "ticket.undeleted"
    TICKET_SNOOZED = "ticket.snoozed"
    TICKET_AWOKEN = "ticket.awoken"
    TICKET_ANSWER_PLANNED = "ticket.answer_planned"
    TICKET_ANSWER_TAKEN_BACK = "ticket.answer_taken_back"
    TICKET_ANSWER_HELD = "ticket.answer_held"
    TICKET_MACRO_APPLIED = "ticket.macro_applied"
    BULK_CHANGED = "bulk.changed"
    BULK_REVERTED = "bulk.reverted"
    ATTACHMENT_READ = "attachment.read"
    EXPORTED = "export.made"
    SLA_WARNED = "sla.warned"
    SLA_BREACHED = "sla.breached"
    SLA_POLICY_CHANGED = "sla.policy_changed"
    CALENDAR_CHANGED = "calendar.changed"
    SLA_ESCALATED = "sla.escalated"
    SLA_ACKNOWLEDGED = "sla.acknowledged"
    SLA_TIME_STEPPED = "sla.time_stepped"
    MAIL_NOT_DELIVERED = "mail.not_delivered"
    MAIL_SUPPRESSED = "mail.suppressed"
    MAIL_UNSUPPRESSED = "mail.unsuppressed"
    MAIL_QUARANTINED = "mail.quarantined"
    MAIL_READ = "mail.read"
    MAIL_RELEASED = "mail.released"
    MAIL_REPLAYED = "mail.replayed"
    MAIL_DROPPED = "mail.dropped"
    MAIL_KEY_CONFIRMED = "mail.key_confirmed"
    MAIL_KEY_WITHDRAWN = "mail.key_withdrawn"
    MAIL_SUGGESTED = "mail.suggested"
    MAIL_BORROWED = "mail.address_borrowed"
    SUGGESTION_ACCEPTED = "suggestion.accepted"
    SUGGESTION_REFUSED = "suggestion.refused"
    MAIL_KEY_CHANGED = "mail.key_changed"
    MAILBOX_CHANGED = "mailbox.changed"
    PERSON_ADDED = "person.added"
    PERSON_CHANGED = "person.changed"
    PERSON_INVITED = "person.invited"
    PERSON_ENABLED = "person.enabled"
    PERSON_DISABLED = "person.disabled"
    PASSWORD_CHANGED = "person.password_changed"  # noqa: S105 (an event's name)
    PASSWORD_FORGOTTEN = "person.password_forgotten"  # noqa: S105 (an event's name)
    EMAIL_CHANGE_ASKED = "person.email_change_asked"
    EMAIL_CHANGED = "person.email_changed"
    SECOND_FACTOR_ADDED = "person.second_factor_added"
    SECOND_FACTOR_REMOVED = "person.second_factor_removed"
    RECOVERY_CODE_USED = "person.recovery_code_used"
    TOKEN_MADE = "person.token_made"  # noqa: S105 (an event's name)
    TOKEN_REVOKED = "person.token_revoked"  # noqa: S105 (an event's name)
    REFRESH_REUSED = "person.refresh_reused"
    SIGN_IN_REFUSED = "person.sign_in_refused"
    SIGNED_IN = "person.signed_in"
    SIGNED_OUT = "person.signed_out"
    ORGANIZATION_CHANGED = "organization.changed"
    TEAM_CHANGED = "team.changed"
    ROLE_POLICY_CHANGED = "role_policy.changed"
    TAG_CHANGED = "tag.changed"
    FIELD_CHANGED = "custom_field.changed"
    VIEW_CHANGED = "view.changed"
    CANNED_REPLY_CHANGED = "canned_reply.changed"
    MACRO_CHANGED = "macro.changed"
    WEBHOOK_CHANGED = "webhook.changed"
    DESK_WARNED = "desk.warned"
    DESK_WARNING_CLEARED = "desk.warning_cleared"
    SETTINGS_CHANGED = "settings.changed"
    DESK_RESTORED = "desk.restored"
    BACKUP_ASKED = "backup.asked"
    CERTIFICATE_ASKED = "certificate.asked"
    BACKUP_KEY_SHOWN = "backup.key_shown"
    DOCTOR_ASKED = "doctor.asked"
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

    __table_args__ = (
        Index("audit_event_ticket_idx", "ticket", "seq"),
        Index("audit_event_actor_idx", "actor_id", "seq"),
        Index("audit_event_kind_idx", "kind", "seq"),
        Index("audit_event_at_idx", "at", postgresql_using="brin"),
    )


class Head(Table):
    """The last link: one row, locked by whoever appends."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    hash: Mapped[bytes]


class Checkpoint(Table):
    """The chain's end on some day, signed (Ed25519): whoever kept a copy elsewhere can tell a chain that was made anew."""

    __tablename__ = "audit_checkpoint"
    day: Mapped[date] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[bytes]
    signature: Mapped[bytes]
    made_at: Mapped[datetime]
