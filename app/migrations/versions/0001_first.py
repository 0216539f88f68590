"""Everything the first version has."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# What happened can't be made not to have happened: not by the application, and not by a slip of the hand.
APPEND_ONLY = """
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END $$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
"""


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("attachment_pkey")),
    )
    op.create_index(op.f("attachment_message_id_idx"), "attachment", ["message_id"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "ticket.opened",
                "ticket.accepted",
                "ticket.assigned",
                "ticket.status_changed",
                "ticket.priority_changed",
                "ticket.replied",
                "ticket.noted",
                "ticket.reopened",
                "ticket.followed_up",
                "sla.warned",
                "sla.breached",
                "sla.policy_changed",
                "mail.not_delivered",
                "mail.quarantined",
                "mailbox.changed",
                "person.added",
                "person.disabled",
                "person.password_changed",
                "person.signed_in",
                "person.signed_out",
                "desk.set_up",
                name="kind",
                native_enum=False,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("before_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("audit_event_pkey")),
    )
    op.create_index("audit_event_ticket_idx", "audit_event", ["ticket", "seq"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_head_pkey")),
    )
    op.create_table(
        "calendar",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("calendar_pkey")),
        sa.UniqueConstraint("name", name=op.f("calendar_name_key")),
    )
    op.create_table(
        "mailbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.BigInteger(), nullable=False),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("credentials", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=True),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("lease_epoch", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("ok", "failing", "blocked", name="state", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "failure_class",
            sa.Enum(
                "auth",
                "folder",
                "certificate",
                "overload",
                "transport",
                name="failure_class",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("mailbox_pkey")),
        sa.UniqueConstraint("host", "username", "folder", name=op.f("mailbox_host_username_folder_key")),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("organization_pkey")),
        sa.UniqueConstraint("name", name=op.f("organization_name_key")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("reply", "acknowledgement", "notice", name="kind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "sending",
                "sent",
                "failed",
                "unknown",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("ticket", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("to_name", sa.Text(), nullable=False),
        sa.Column("from_name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("mail_id", sa.Text(), nullable=False),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("reference_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("doubts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_pkey")),
        sa.UniqueConstraint("dedupe_key", name=op.f("outbox_dedupe_key_key")),
    )
    op.create_index(
        "outbox_acknowledgement_idx",
        "outbox",
        ["to_address", "created_at"],
        unique=False,
        postgresql_where=sa.text("kind = 'acknowledgement'"),
    )
    op.create_index("outbox_due_idx", "outbox", ["next_at"], unique=False, postgresql_where=sa.text("next_at IS NOT NULL"))
    op.create_index(op.f("outbox_mail_id_idx"), "outbox", ["mail_id"], unique=False)
    op.create_index(op.f("outbox_message_id_idx"), "outbox", ["message_id"], unique=False)
    op.create_index(op.f("outbox_ticket_idx"), "outbox", ["ticket"], unique=False)
    op.create_index(
        "outbox_unfinished_idx",
        "outbox",
        ["ticket", "to_address", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    )
    op.create_index("outbox_unknown_idx", "outbox", ["id"], unique=False, postgresql_where=sa.text("state = 'unknown'"))
    op.create_table(
        "relay",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "state",
            sa.Enum("ok", "refused", "unreachable", name="state", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("relay_pkey")),
    )
    op.create_table(
        "setup_link",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("setup_link_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("setup_link_token_hash_key")),
    )
    op.create_table(
        "sla_policy",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("match", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "starts",
            sa.Enum("accepted", "created", name="starts", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_policy_pkey")),
        sa.UniqueConstraint("name", name=op.f("sla_policy_name_key")),
    )
    op.create_table(
        "calendar_version",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("calendar_id", sa.BigInteger(), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendar.id"], name=op.f("calendar_version_calendar_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("calendar_version_pkey")),
        sa.UniqueConstraint("calendar_id", "effective_from", name=op.f("calendar_version_calendar_id_effective_from_key")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "customer",
                "customer_admin",
                "agent",
                "manager",
                "admin",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("person_organization_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("person_pkey")),
        sa.UniqueConstraint("email", name=op.f("person_email_key")),
    )
    op.create_index("person_name_idx", "person", [sa.literal_column("lower(name)")], unique=False)
    op.create_index(op.f("person_organization_id_idx"), "person", ["organization_id"], unique=False)
    op.create_table(
        "sla_target",
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "metric",
            sa.Enum(
                "first_response",
                "next_response",
                "resolution",
                name="metric",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "priority",
            sa.Enum("low", "medium", "high", "urgent", name="priority", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("calendar_id", sa.BigInteger(), nullable=False),
        sa.Column("pauses", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("thresholds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendar.id"], name=op.f("sla_target_calendar_id_fkey")),
        sa.ForeignKeyConstraint(["policy_id"], ["sla_policy.id"], name=op.f("sla_target_policy_id_fkey")),
        sa.PrimaryKeyConstraint("policy_id", "version", "metric", "priority", name=op.f("sla_target_pkey")),
    )
    op.create_table(
        "sign_in",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "door", sa.Enum("page", "api", name="door", native_enum=False, create_constraint=True, length=40), nullable=False
        ),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refresh_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("sign_in_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sign_in_pkey")),
        sa.UniqueConstraint("refresh_hash", name=op.f("sign_in_refresh_hash_key")),
        sa.UniqueConstraint("token_hash", name=op.f("sign_in_token_hash_key")),
    )
    op.create_index(op.f("sign_in_person_id_idx"), "sign_in", ["person_id"], unique=False)
    op.create_table(
        "sla_clock",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column(
            "metric",
            sa.Enum(
                "first_response",
                "next_response",
                "resolution",
                name="metric",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("cycle", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "running",
                "paused",
                "breached_open",
                "met",
                "stopped",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("policy_version", sa.BigInteger(), nullable=False),
        sa.Column(
            "priority",
            sa.Enum("low", "medium", "high", "urgent", name="priority", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("calendar_version_id", sa.BigInteger(), nullable=False),
        sa.Column("target_seconds", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("anchor_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consumed", sa.Interval(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_threshold", sa.BigInteger(), nullable=True),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "met",
                "late",
                "closed_unanswered",
                "resolved",
                "ended",
                "merged",
                "no_policy",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_version_id"], ["calendar_version.id"], name=op.f("sla_clock_calendar_version_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id", "policy_version", "metric", "priority"],
            ["sla_target.policy_id", "sla_target.version", "sla_target.metric", "sla_target.priority"],
            name=op.f("sla_clock_policy_id_policy_version_metric_priority_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_clock_pkey")),
        sa.UniqueConstraint("ticket", "metric", "cycle", name=op.f("sla_clock_ticket_metric_cycle_key")),
        postgresql_with={"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.02},
    )
    op.create_index("sla_clock_due", "sla_clock", ["next_at"], unique=False, postgresql_where=sa.text("next_at IS NOT NULL"))
    op.create_index("sla_clock_open", "sla_clock", ["id"], unique=False, postgresql_where=sa.text("outcome IS NULL"))
    op.create_table(
        "ticket",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "new",
                "accepted",
                "in_progress",
                "waiting_customer",
                "resolved",
                "closed",
                "cancelled",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "priority",
            sa.Enum("low", "medium", "high", "urgent", name="priority", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "channel",
            sa.Enum("mail", "page", "api", name="channel", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("requester_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True),
        sa.Column("follows", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["assignee_id"], ["person.id"], name=op.f("ticket_assignee_id_fkey")),
        sa.ForeignKeyConstraint(["follows"], ["ticket.number"], name=op.f("ticket_follows_fkey")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("ticket_organization_id_fkey")),
        sa.ForeignKeyConstraint(["requester_id"], ["person.id"], name=op.f("ticket_requester_id_fkey")),
        sa.PrimaryKeyConstraint("number", name=op.f("ticket_pkey")),
    )
    op.create_index(op.f("ticket_assignee_id_idx"), "ticket", ["assignee_id"], unique=False)
    op.create_index(op.f("ticket_organization_id_idx"), "ticket", ["organization_id"], unique=False)
    op.create_index(op.f("ticket_requester_id_idx"), "ticket", ["requester_id"], unique=False)
    op.create_index("ticket_updated_idx", "ticket", ["updated_at", "number"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("from_staff", sa.Boolean(), nullable=False),
        sa.Column("auto", sa.Boolean(), nullable=False),
        sa.Column(
            "channel",
            sa.Enum("mail", "page", "api", name="channel", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("html_policy", sa.BigInteger(), nullable=True),
        sa.Column("mail_id", sa.Text(), nullable=True),
        sa.Column("inbound_mail_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["person.id"], name=op.f("message_author_id_fkey")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("message_ticket_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("message_pkey")),
        sa.UniqueConstraint("inbound_mail_id", name=op.f("message_inbound_mail_id_key")),
    )
    op.create_index(op.f("message_mail_id_idx"), "message", ["mail_id"], unique=False)
    op.create_index("message_public_idx", "message", ["ticket", "id"], unique=False, postgresql_where=sa.text("NOT internal"))
    op.create_index("message_ticket_idx", "message", ["ticket", "id"], unique=False)
    op.create_table(
        "sla_event",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("clock_id", sa.BigInteger(), nullable=False),
        sa.Column("cycle", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("warning", "breach", "skipped", name="kind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("rearm", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["clock_id"], ["sla_clock.id"], name=op.f("sla_event_clock_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_event_pkey")),
        sa.UniqueConstraint(
            "clock_id", "cycle", "kind", "threshold", "rearm", name=op.f("sla_event_clock_id_cycle_kind_threshold_rearm_key")
        ),
    )
    op.create_table(
        "sla_segment",
        sa.Column("clock_id", sa.BigInteger(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("run", "pause", "resolved", name="kind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["clock_id"], ["sla_clock.id"], name=op.f("sla_segment_clock_id_fkey")),
        sa.PrimaryKeyConstraint("clock_id", "from_at", name=op.f("sla_segment_pkey")),
    )
    op.create_table(
        "inbound_mail",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("mailbox_id", sa.BigInteger(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("raw_sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("header_only", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "new",
                "done",
                "duplicate",
                "ignored",
                "quarantined",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("content_key", sa.Text(), nullable=True),
        sa.Column("mail_id", sa.Text(), nullable=True),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("ticket", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("server_acked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name=op.f("inbound_mail_mailbox_id_fkey")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("inbound_mail_message_id_fkey")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("inbound_mail_ticket_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("inbound_mail_pkey")),
        sa.UniqueConstraint("mailbox_id", "uidvalidity", "uid", name=op.f("inbound_mail_mailbox_id_uidvalidity_uid_key")),
    )
    op.create_index(
        "inbound_mail_content_idx",
        "inbound_mail",
        ["mailbox_id", "content_key"],
        unique=True,
        postgresql_where=sa.text("state IN ('done', 'quarantined')"),
    )
    op.create_index(op.f("inbound_mail_mail_id_idx"), "inbound_mail", ["mail_id"], unique=False)
    op.create_index("inbound_mail_new_idx", "inbound_mail", ["id"], unique=False, postgresql_where=sa.text("state = 'new'"))
    op.create_index("inbound_mail_state_idx", "inbound_mail", ["state", "id"], unique=False)
    op.create_index(op.f("inbound_mail_ticket_idx"), "inbound_mail", ["ticket"], unique=False)
    op.create_index(
        "inbound_mail_unacked_idx",
        "inbound_mail",
        ["mailbox_id", "uid"],
        unique=False,
        postgresql_where=sa.text("state <> 'new' AND server_acked_at IS NULL"),
    )
    op.execute("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'))")
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_index(
        "inbound_mail_unacked_idx",
        table_name="inbound_mail",
        postgresql_where=sa.text("state <> 'new' AND server_acked_at IS NULL"),
    )
    op.drop_index(op.f("inbound_mail_ticket_idx"), table_name="inbound_mail")
    op.drop_index("inbound_mail_state_idx", table_name="inbound_mail")
    op.drop_index("inbound_mail_new_idx", table_name="inbound_mail", postgresql_where=sa.text("state = 'new'"))
    op.drop_index(op.f("inbound_mail_mail_id_idx"), table_name="inbound_mail")
    op.drop_index(
        "inbound_mail_content_idx", table_name="inbound_mail", postgresql_where=sa.text("state IN ('done', 'quarantined')")
    )
    op.drop_table("inbound_mail")
    op.drop_table("sla_segment")
    op.drop_table("sla_event")
    op.drop_index("message_ticket_idx", table_name="message")
    op.drop_index("message_public_idx", table_name="message", postgresql_where=sa.text("NOT internal"))
    op.drop_index(op.f("message_mail_id_idx"), table_name="message")
    op.drop_table("message")
    op.drop_index("ticket_updated_idx", table_name="ticket")
    op.drop_index(op.f("ticket_requester_id_idx"), table_name="ticket")
    op.drop_index(op.f("ticket_organization_id_idx"), table_name="ticket")
    op.drop_index(op.f("ticket_assignee_id_idx"), table_name="ticket")
    op.drop_table("ticket")
    op.drop_index("sla_clock_open", table_name="sla_clock", postgresql_where=sa.text("outcome IS NULL"))
    op.drop_index("sla_clock_due", table_name="sla_clock", postgresql_where=sa.text("next_at IS NOT NULL"))
    op.drop_table("sla_clock")
    op.drop_index(op.f("sign_in_person_id_idx"), table_name="sign_in")
    op.drop_table("sign_in")
    op.drop_table("sla_target")
    op.drop_index(op.f("person_organization_id_idx"), table_name="person")
    op.drop_index("person_name_idx", table_name="person")
    op.drop_table("person")
    op.drop_table("calendar_version")
    op.drop_table("sla_policy")
    op.drop_table("setup_link")
    op.drop_table("relay")
    op.drop_index("outbox_unknown_idx", table_name="outbox", postgresql_where=sa.text("state = 'unknown'"))
    op.drop_index("outbox_unfinished_idx", table_name="outbox", postgresql_where=sa.text("state IN ('queued', 'sending')"))
    op.drop_index(op.f("outbox_ticket_idx"), table_name="outbox")
    op.drop_index(op.f("outbox_message_id_idx"), table_name="outbox")
    op.drop_index(op.f("outbox_mail_id_idx"), table_name="outbox")
    op.drop_index("outbox_due_idx", table_name="outbox", postgresql_where=sa.text("next_at IS NOT NULL"))
    op.drop_index("outbox_acknowledgement_idx", table_name="outbox", postgresql_where=sa.text("kind = 'acknowledgement'"))
    op.drop_table("outbox")
    op.drop_table("organization")
    op.drop_table("mailbox")
    op.drop_table("calendar")
    op.drop_table("audit_head")
    op.drop_index("audit_event_ticket_idx", table_name="audit_event")
    op.drop_table("audit_event")
    op.drop_index(op.f("attachment_message_id_idx"), table_name="attachment")
    op.drop_table("attachment")
    op.execute("DROP FUNCTION audit_is_append_only()")
