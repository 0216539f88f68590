"""The desk is complete: teams, sign-in by more than a password, what tickets carry, search, views, macros."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

# Words are compared without case and accents, and every sign between letters and digits parts them, so that a name like
# "price-list_2026.pdf" or an address is found by each of its words, and whole, as words that follow each other. A text that is
# too much for a tsvector is found by its beginning: a mail that can't be searched for is a nuisance, one that can't be stored
# is lost.
#
# Marks are words that nobody can type: whose a ticket is (requester, organization, team), and which 1024 and 8192 numbers its
# own is among. With them the index alone answers which of the newest tickets that somebody may see have some words, however
# many have them in all.
SEARCH = r"""
CREATE FUNCTION desk_plain(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(regexp_replace(
        replace(normalize(translate(left($1, 100000), 'łŁøØđĐ', 'lLoOdD'), NFKD), 'ß', 'ss'),
        '[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]', '', 'g'),
        '[\u0001-/:-@\u005b-`{-\u00bf\u00d7\u00f7\u1680\u180e\u2000-\u206f\u2e00-\u2e7f\u3000-\u303f\ufe30-\ufe4f]+', ' ', 'g')
$$;
CREATE FUNCTION desk_words(words text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN to_tsvector('pg_catalog.simple', desk_plain(words));
EXCEPTION WHEN program_limit_exceeded THEN
    BEGIN
        RETURN to_tsvector('pg_catalog.simple', desk_plain(left(words, 5000)));
    EXCEPTION WHEN program_limit_exceeded THEN
        RETURN '';
    END;
END $$;
CREATE FUNCTION desk_words_joined(known tsvector, more tsvector) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN length(known) > 50000 THEN known ELSE known || more END;
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN known;
END $$;
CREATE AGGREGATE desk_words_sum(tsvector) (SFUNC = desk_words_joined, STYPE = tsvector, INITCOND = '');
CREATE FUNCTION desk_query(words text, beginning boolean) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN beginning AND trim(desk_plain(words)) <> ''
        THEN to_tsquery('pg_catalog.simple', '''' || desk_plain(words) || ''':*')
        ELSE phraseto_tsquery('pg_catalog.simple', desk_plain(words)) END
$$;
CREATE FUNCTION desk_marks(number bigint, requester bigint, organization bigint, team bigint)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY['/a' || (number >> 10), '/b' || (number >> 13),
        '/r' || requester, '/o' || coalesce(organization, 0), '/t' || coalesce(team, 0)])
$$;
CREATE FUNCTION desk_among(mark text, stretch bigint) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('''' || mark || stretch || ''' | ''' || mark || (stretch - 1) || '''')::tsquery
$$;
CREATE FUNCTION desk_marks_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text[] := tsvector_to_array(desk_marks(OLD.number, OLD.requester_id, OLD.organization_id, OLD.team_id));
    after tsvector := desk_marks(NEW.number, NEW.requester_id, NEW.organization_id, NEW.team_id);
BEGIN
    UPDATE ticket_text SET shown = ts_delete(shown, before) || after, whole = ts_delete(whole, before) || after
    WHERE ticket = NEW.number;
    RETURN NULL;
END $$;
CREATE TRIGGER ticket_marks_moved AFTER UPDATE OF requester_id, organization_id, team_id ON ticket FOR EACH ROW
WHEN ((OLD.requester_id, OLD.organization_id, OLD.team_id) IS DISTINCT FROM (NEW.requester_id, NEW.organization_id, NEW.team_id))
EXECUTE FUNCTION desk_marks_moved();
"""

# An entry's hash covers its number and the hash before it, which nobody knows before the chain's end is locked. So the lock is
# taken, the hashes are made and the entries written in one call, and no program is waited for while others wait for the lock.
RECORD = r"""
CREATE FUNCTION desk_record(at timestamptz[], kind text[], actor_id bigint[], actor text[], ticket bigint[], data jsonb[],
    before_seq text[], after_seq text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    head audit_head%ROWTYPE;
BEGIN
    SELECT * INTO STRICT head FROM audit_head WHERE id = 1 FOR UPDATE;
    FOR n IN 1 .. cardinality(at) LOOP
        INSERT INTO audit_event (seq, at, kind, actor_id, actor, ticket, data, before_hash, hash)
        VALUES (head.seq + 1, at[n], kind[n], actor_id[n], actor[n], ticket[n], data[n], head.hash,
            sha256(head.hash || convert_to(before_seq[n] || (head.seq + 1) || after_seq[n], 'UTF8')))
        RETURNING audit_event.seq, audit_event.hash INTO head.seq, head.hash;
    END LOOP;
    UPDATE audit_head SET seq = head.seq, hash = head.hash WHERE id = 1;
    PERFORM pg_notify('desk_events', head.seq::text);
END $$;
"""

FILL = r"""
INSERT INTO ticket_text (ticket, shown, whole)
SELECT t.number, desk_words_joined(head.words, coalesce(said.shown, '')), desk_words_joined(head.words, coalesce(said.whole, ''))
FROM ticket t
JOIN person p ON p.id = t.requester_id
CROSS JOIN LATERAL (
    SELECT desk_marks(t.number, t.requester_id, t.organization_id, t.team_id)
        || desk_words(concat_ws(' ', t.number, t.subject, p.name, p.email)) AS words
) AS head
LEFT JOIN LATERAL (
    SELECT desk_words_sum(desk_words(m.words)) FILTER (WHERE NOT m.internal) AS shown,
           desk_words_sum(desk_words(m.words)) AS whole
    FROM (
        SELECT message.internal, concat_ws(' ', author.name, author.email, files.names, message.text) AS words
        FROM message
        JOIN person author ON author.id = message.author_id
        LEFT JOIN LATERAL (
            SELECT string_agg(a.name, ' ') AS names FROM attachment a WHERE a.message_id = message.id
        ) AS files ON true
        WHERE message.ticket = t.number
    ) AS m
) AS said ON true
"""

CLOCKS_AWAY = """
    ALTER TABLE sla_clock DROP CONSTRAINT sla_clock_outcome_check, ADD CONSTRAINT sla_clock_outcome_check CHECK (outcome IN (
        'met', 'late', 'closed_unanswered', 'resolved', 'ended', 'moved', 'no_policy', 'merged', 'trashed'));
    ALTER TABLE sla_segment DROP CONSTRAINT sla_segment_kind_check, ADD CONSTRAINT sla_segment_kind_check CHECK (kind IN (
        'run', 'pause', 'resolved', 'away'));
"""
CLOCKS_STOPPED = """
    UPDATE sla_clock SET outcome = CASE outcome WHEN 'merged' THEN 'merged' ELSE 'ended' END, state = 'stopped'
    WHERE outcome IN ('moved', 'merged', 'trashed');
    UPDATE sla_segment SET kind = 'pause' WHERE kind = 'away';
    ALTER TABLE sla_clock DROP CONSTRAINT sla_clock_outcome_check, ADD CONSTRAINT sla_clock_outcome_check CHECK (outcome IN (
        'met', 'late', 'closed_unanswered', 'resolved', 'ended', 'merged', 'no_policy'));
    ALTER TABLE sla_segment DROP CONSTRAINT sla_segment_kind_check, ADD CONSTRAINT sla_segment_kind_check CHECK (kind IN (
        'run', 'pause', 'resolved'));
"""

CHECKPOINTS_STAY = """
CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
"""


def upgrade() -> None:
    op.create_table(
        "audit_checkpoint",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("audit_checkpoint_pkey")),
    )
    op.create_table(
        "role_policy",
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
        sa.Column("second_factor_required", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("role", name=op.f("role_policy_pkey")),
    )
    op.create_table(
        "settings_seen",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("settings_seen_pkey")),
    )
    op.create_table(
        "spent_challenge",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("spent_challenge_pkey")),
    )
    op.create_index(op.f("spent_challenge_expires_at_idx"), "spent_challenge", ["expires_at"], unique=False)
    op.create_table(
        "tag",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("tag_pkey")),
    )
    op.create_table(
        "team",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("team_pkey")),
        sa.UniqueConstraint("name", name=op.f("team_name_key")),
    )
    op.create_table(
        "custom_field",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "text",
                "number",
                "date",
                "choice",
                "multi_choice",
                "checkbox",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        sa.Column("choices", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column(
            "required",
            sa.Enum("never", "to_accept", "to_resolve", name="required", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("shown_to_customers", sa.Boolean(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("custom_field_team_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("custom_field_pkey")),
        sa.UniqueConstraint("key", name=op.f("custom_field_key_key")),
    )
    op.create_index(op.f("custom_field_team_id_idx"), "custom_field", ["team_id"], unique=False)
    op.create_table(
        "organization_domain",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("organization_domain_organization_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("domain", name=op.f("organization_domain_pkey")),
    )
    op.create_index(op.f("organization_domain_organization_id_idx"), "organization_domain", ["organization_id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("api_token_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_token_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("api_token_token_hash_key")),
    )
    op.create_index(op.f("api_token_person_id_idx"), "api_token", ["person_id"], unique=False)
    op.create_table(
        "bulk",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("change", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=False),
        sa.Column("reverted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reverted_by_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["made_by_id"], ["person.id"], name=op.f("bulk_made_by_id_fkey")),
        sa.ForeignKeyConstraint(["reverted_by_id"], ["person.id"], name=op.f("bulk_reverted_by_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("bulk_pkey")),
    )
    op.create_index(op.f("bulk_made_by_id_idx"), "bulk", ["made_by_id"], unique=False)
    op.create_table(
        "canned_reply",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("shortcut", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("canned_reply_owner_id_fkey")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("canned_reply_team_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("canned_reply_pkey")),
    )
    op.create_index(op.f("canned_reply_owner_id_idx"), "canned_reply", ["owner_id"], unique=False)
    op.create_index(op.f("canned_reply_shortcut_idx"), "canned_reply", ["shortcut"], unique=False)
    op.create_index(op.f("canned_reply_team_id_idx"), "canned_reply", ["team_id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("idempotency_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", "key", name=op.f("idempotency_pkey")),
    )
    op.create_index(op.f("idempotency_answered_at_idx"), "idempotency", ["answered_at"], unique=False)
    op.create_table(
        "macro",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("macro_owner_id_fkey")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("macro_team_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("macro_pkey")),
    )
    op.create_index(op.f("macro_owner_id_idx"), "macro", ["owner_id"], unique=False)
    op.create_index(op.f("macro_team_id_idx"), "macro", ["team_id"], unique=False)
    op.create_table(
        "membership",
        sa.Column("team_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "part",
            sa.Enum("reader", "member", "lead", name="part", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("membership_person_id_fkey")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("membership_team_id_fkey")),
        sa.PrimaryKeyConstraint("team_id", "person_id", name=op.f("membership_pkey")),
    )
    op.create_index(op.f("membership_person_id_idx"), "membership", ["person_id"], unique=False)
    op.create_table(
        "one_time_link",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum("invite", "reset", "email", name="purpose", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("one_time_link_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("one_time_link_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("one_time_link_token_hash_key")),
    )
    op.create_index(op.f("one_time_link_person_id_idx"), "one_time_link", ["person_id"], unique=False)
    op.create_table(
        "passkey",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("passkey_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("passkey_pkey")),
        sa.UniqueConstraint("credential_id", name=op.f("passkey_credential_id_key")),
    )
    op.create_index(op.f("passkey_person_id_idx"), "passkey", ["person_id"], unique=False)
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("recovery_code_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("recovery_code_pkey")),
        sa.UniqueConstraint("code_hash", name=op.f("recovery_code_code_hash_key")),
    )
    op.create_index(op.f("recovery_code_person_id_idx"), "recovery_code", ["person_id"], unique=False)
    op.create_table(
        "totp",
        sa.Column("person_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tried_from", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("totp_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("totp_pkey")),
    )
    op.create_table(
        "view",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("sort", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("view_owner_id_fkey")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("view_team_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("view_pkey")),
    )
    op.create_index(op.f("view_owner_id_idx"), "view", ["owner_id"], unique=False)
    op.create_index(op.f("view_team_id_idx"), "view", ["team_id"], unique=False)
    op.create_table(
        "bulk_ticket",
        sa.Column("bulk_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("kept", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["bulk_id"], ["bulk.id"], name=op.f("bulk_ticket_bulk_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("bulk_ticket_ticket_fkey")),
        sa.PrimaryKeyConstraint("bulk_id", "ticket", name=op.f("bulk_ticket_pkey")),
    )
    op.create_table(
        "merge",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merged_by_id", sa.BigInteger(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["merged_by_id"], ["person.id"], name=op.f("merge_merged_by_id_fkey")),
        sa.ForeignKeyConstraint(["source"], ["ticket.number"], name=op.f("merge_source_fkey")),
        sa.ForeignKeyConstraint(["target"], ["ticket.number"], name=op.f("merge_target_fkey")),
        sa.ForeignKeyConstraint(["undone_by_id"], ["person.id"], name=op.f("merge_undone_by_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("merge_pkey")),
    )
    op.create_index(op.f("merge_source_idx"), "merge", ["source"], unique=False)
    op.create_index(op.f("merge_target_idx"), "merge", ["target"], unique=False)
    op.create_table(
        "spent_refresh",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sign_in_id", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sign_in_id"], ["sign_in.id"], name=op.f("spent_refresh_sign_in_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("spent_refresh_pkey")),
    )
    op.create_index(op.f("spent_refresh_sign_in_id_idx"), "spent_refresh", ["sign_in_id"], unique=False)
    op.create_table(
        "ticket_link",
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("other", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "parent", "duplicate", "related", "blocks", name="kind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_by_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["linked_by_id"], ["person.id"], name=op.f("ticket_link_linked_by_id_fkey")),
        sa.ForeignKeyConstraint(["other"], ["ticket.number"], name=op.f("ticket_link_other_fkey")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("ticket_link_ticket_fkey")),
        sa.PrimaryKeyConstraint("ticket", "other", "kind", name=op.f("ticket_link_pkey")),
    )
    op.create_index(op.f("ticket_link_other_idx"), "ticket_link", ["other"], unique=False)
    op.create_table(
        "ticket_text",
        sa.Column("ticket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shown", postgresql.TSVECTOR(), nullable=False),
        sa.Column("whole", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("ticket_text_ticket_fkey")),
        sa.PrimaryKeyConstraint("ticket", name=op.f("ticket_text_pkey")),
    )
    pending = {"gin_pending_list_limit": 256}
    for name in ("shown", "whole"):
        op.create_index(f"ticket_text_{name}_idx", "ticket_text", [name], postgresql_using="gin", postgresql_with=pending)
    op.create_table(
        "watcher",
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind", sa.Enum("cc", "agent", name="kind", native_enum=False, create_constraint=True, length=40), nullable=False
        ),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("watcher_person_id_fkey")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("watcher_ticket_fkey")),
        sa.PrimaryKeyConstraint("ticket", "person_id", "kind", name=op.f("watcher_pkey")),
    )
    op.create_index(op.f("watcher_person_id_idx"), "watcher", ["person_id"], unique=False)
    op.create_table(
        "mention",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("mention_message_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("mention_person_id_fkey")),
        sa.PrimaryKeyConstraint("message_id", "person_id", name=op.f("mention_pkey")),
    )
    op.create_index(op.f("mention_person_id_idx"), "mention", ["person_id"], unique=False)
    op.create_index("audit_event_actor_idx", "audit_event", ["actor_id", "seq"], unique=False)
    op.create_index("audit_event_kind_idx", "audit_event", ["kind", "seq"], unique=False)
    op.create_index("audit_event_at_idx", "audit_event", ["at"], unique=False, postgresql_using="brin")
    op.add_column("organization", sa.Column("notes", sa.Text(), server_default="", nullable=False))
    op.add_column("organization", sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("outbox", sa.Column("link", sa.Text(), nullable=True))
    op.add_column("person", sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False))
    staff = sa.text("role IN ('agent', 'manager', 'admin')")
    op.create_index("person_staff_idx", "person", ["id"], unique=False, postgresql_where=staff)
    op.add_column("sign_in", sa.Column("agent", sa.Text(), server_default="", nullable=False))
    op.add_column("sign_in", sa.Column("source", sa.Text(), server_default="", nullable=False))
    op.add_column("sign_in", sa.Column("restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("ticket", sa.Column("team_id", sa.BigInteger(), nullable=True))
    op.add_column("ticket", sa.Column("tags", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.add_column("ticket", sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False))
    op.add_column("ticket", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    op.add_column("ticket", sa.Column("conversation", sa.BigInteger(), nullable=True))
    op.add_column("ticket", sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("ticket", sa.Column("first_replied_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("ticket", sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("ticket", sa.Column("trashed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("ticket", sa.Column("trashed_by_id", sa.BigInteger(), nullable=True))
    op.add_column("ticket", sa.Column("trash_reason", sa.Text(), nullable=True))
    op.drop_index(op.f("ticket_assignee_id_idx"), table_name="ticket")
    op.drop_index(op.f("ticket_organization_id_idx"), table_name="ticket")
    op.drop_index(op.f("ticket_requester_id_idx"), table_name="ticket")
    op.create_index("ticket_assignee_idx", "ticket", ["assignee_id", "updated_at", "number"], unique=False)
    op.create_index(
        "ticket_conversation_idx", "ticket", ["conversation"], unique=False, postgresql_where=sa.text("conversation IS NOT NULL")
    )
    op.create_index("ticket_created_idx", "ticket", ["created_at", "number"], unique=False)
    op.create_index(
        "ticket_fields_idx",
        "ticket",
        ["fields"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"fields": "jsonb_path_ops"},
    )
    op.create_index("ticket_organization_idx", "ticket", ["organization_id", "updated_at", "number"], unique=False)
    op.create_index("ticket_requester_idx", "ticket", ["requester_id", "updated_at", "number"], unique=False)
    op.create_index(
        "ticket_snoozed_idx", "ticket", ["snoozed_until"], unique=False, postgresql_where=sa.text("snoozed_until IS NOT NULL")
    )
    op.create_index("ticket_status_idx", "ticket", ["status", "updated_at", "number"], unique=False)
    op.create_index("ticket_teamless_idx", "ticket", ["updated_at", "number"], postgresql_where=sa.text("team_id IS NULL"))
    open_work = sa.text("status IN ('new', 'accepted', 'in_progress', 'waiting_customer')")
    op.create_index("ticket_open_idx", "ticket", ["updated_at", "number"], postgresql_where=open_work)
    ranks = {
        "priority": "array_position(ARRAY['low', 'medium', 'high', 'urgent'], CAST(priority AS text))",
        "state": "array_position(ARRAY['new', 'accepted', 'in_progress', 'waiting_customer', 'resolved', 'closed', 'cancelled'],"
        " CAST(status AS text))",
        "subject": 'lower("left"(subject, 100))',
    }
    for name, rank in ranks.items():
        op.create_index(f"ticket_{name}_idx", "ticket", [sa.text(rank), "number"])
    for table in ("organization", "team"):
        op.create_index(f"{table}_lower_name_idx", table, [sa.text("lower(name)")])
    due = sa.text("outcome IS NULL AND due_at IS NOT NULL")
    op.create_index("sla_clock_soonest_idx", "sla_clock", ["due_at", "ticket"], postgresql_where=due)
    op.create_index("ticket_tags_idx", "ticket", ["tags"], unique=False, postgresql_using="gin")
    op.create_index("ticket_team_idx", "ticket", ["team_id", "updated_at", "number"], unique=False)
    for whose in ("team", "assignee"):
        op.create_index(f"ticket_{whose}_number_idx", "ticket", [f"{whose}_id", "number"])
    op.create_index(
        "ticket_trashed_idx", "ticket", ["trashed_at"], unique=False, postgresql_where=sa.text("trashed_at IS NOT NULL")
    )
    op.create_foreign_key(op.f("ticket_merged_into_fkey"), "ticket", "ticket", ["merged_into"], ["number"])
    op.create_foreign_key(op.f("ticket_trashed_by_id_fkey"), "ticket", "person", ["trashed_by_id"], ["id"])
    op.create_foreign_key(op.f("ticket_conversation_fkey"), "ticket", "ticket", ["conversation"], ["number"])
    op.create_foreign_key(op.f("ticket_team_id_fkey"), "ticket", "team", ["team_id"], ["id"])
    op.drop_constraint(op.f("sign_in_door_check"), "sign_in", type_="check")
    op.execute(CLOCKS_AWAY)
    op.execute(SEARCH)
    op.execute(RECORD)
    op.execute(FILL)
    op.execute(CHECKPOINTS_STAY)


def downgrade() -> None:
    op.execute(CLOCKS_STOPPED)
    op.execute("DROP FUNCTION desk_record")
    op.execute("DROP TRIGGER ticket_marks_moved ON ticket")
    op.execute("DROP FUNCTION desk_marks_moved()")
    op.execute("DROP FUNCTION desk_marks(bigint, bigint, bigint, bigint)")
    op.execute("DROP AGGREGATE desk_words_sum(tsvector)")
    op.execute("DROP FUNCTION desk_words_joined(tsvector, tsvector)")
    op.execute("DROP FUNCTION desk_words(text)")
    op.execute("DROP FUNCTION desk_query(text, boolean)")
    op.execute("DROP FUNCTION desk_among(text, bigint)")
    op.execute("DROP FUNCTION desk_plain(text)")

    op.drop_constraint(op.f("ticket_team_id_fkey"), "ticket", type_="foreignkey")
    op.drop_constraint(op.f("ticket_conversation_fkey"), "ticket", type_="foreignkey")
    op.drop_constraint(op.f("ticket_trashed_by_id_fkey"), "ticket", type_="foreignkey")
    op.drop_constraint(op.f("ticket_merged_into_fkey"), "ticket", type_="foreignkey")
    op.drop_index("ticket_trashed_idx", table_name="ticket", postgresql_where=sa.text("trashed_at IS NOT NULL"))
    op.drop_index("ticket_team_idx", table_name="ticket")
    for whose in ("team", "assignee"):
        op.drop_index(f"ticket_{whose}_number_idx", table_name="ticket")
    op.drop_index("ticket_teamless_idx", table_name="ticket")
    for name in ("priority", "state", "subject"):
        op.drop_index(f"ticket_{name}_idx", table_name="ticket")
    op.drop_index("person_staff_idx", table_name="person")
    op.drop_index("organization_lower_name_idx", table_name="organization")
    op.drop_index("sla_clock_soonest_idx", table_name="sla_clock")
    op.drop_index("ticket_open_idx", table_name="ticket")
    op.drop_index("ticket_tags_idx", table_name="ticket", postgresql_using="gin")
    op.drop_index("ticket_status_idx", table_name="ticket")
    op.drop_index("ticket_snoozed_idx", table_name="ticket", postgresql_where=sa.text("snoozed_until IS NOT NULL"))
    op.drop_index("ticket_requester_idx", table_name="ticket")
    op.drop_index("ticket_organization_idx", table_name="ticket")
    op.drop_index("ticket_fields_idx", table_name="ticket", postgresql_using="gin", postgresql_ops={"fields": "jsonb_path_ops"})
    op.drop_index("ticket_created_idx", table_name="ticket")
    op.drop_index("ticket_conversation_idx", table_name="ticket", postgresql_where=sa.text("conversation IS NOT NULL"))
    op.drop_index("ticket_assignee_idx", table_name="ticket")
    op.create_index(op.f("ticket_requester_id_idx"), "ticket", ["requester_id"], unique=False)
    op.create_index(op.f("ticket_organization_id_idx"), "ticket", ["organization_id"], unique=False)
    op.create_index(op.f("ticket_assignee_id_idx"), "ticket", ["assignee_id"], unique=False)
    op.drop_column("ticket", "trash_reason")
    op.drop_column("ticket", "trashed_by_id")
    op.drop_column("ticket", "trashed_at")
    op.drop_column("ticket", "snoozed_until")
    op.drop_column("ticket", "first_replied_at")
    op.drop_column("ticket", "revision")
    op.drop_column("ticket", "conversation")
    op.drop_column("ticket", "merged_into")
    op.drop_column("ticket", "fields")
    op.drop_column("ticket", "tags")
    op.drop_column("ticket", "team_id")
    op.drop_column("sign_in", "restricted")
    op.drop_column("sign_in", "source")
    op.drop_column("sign_in", "agent")
    op.drop_column("person", "revision")
    op.drop_column("outbox", "link")
    op.drop_column("organization", "revision")
    op.drop_column("organization", "notes")
    op.drop_index("audit_event_at_idx", table_name="audit_event", postgresql_using="brin")
    op.drop_index("audit_event_kind_idx", table_name="audit_event")
    op.drop_index("audit_event_actor_idx", table_name="audit_event")
    op.drop_index(op.f("mention_person_id_idx"), table_name="mention")
    op.drop_table("mention")
    op.drop_index(op.f("watcher_person_id_idx"), table_name="watcher")
    op.drop_table("watcher")
    op.drop_index("ticket_text_whole_idx", table_name="ticket_text", postgresql_using="gin")
    op.drop_index("ticket_text_shown_idx", table_name="ticket_text", postgresql_using="gin")
    op.drop_table("ticket_text")
    op.drop_index(op.f("ticket_link_other_idx"), table_name="ticket_link")
    op.drop_table("ticket_link")
    op.drop_index(op.f("spent_refresh_sign_in_id_idx"), table_name="spent_refresh")
    op.drop_table("spent_refresh")
    op.drop_index(op.f("merge_target_idx"), table_name="merge")
    op.drop_index(op.f("merge_source_idx"), table_name="merge")
    op.drop_table("merge")
    op.drop_table("bulk_ticket")
    op.drop_index(op.f("view_team_id_idx"), table_name="view")
    op.drop_index(op.f("view_owner_id_idx"), table_name="view")
    op.drop_table("view")
    op.drop_table("totp")
    op.drop_index(op.f("recovery_code_person_id_idx"), table_name="recovery_code")
    op.drop_table("recovery_code")
    op.drop_index(op.f("passkey_person_id_idx"), table_name="passkey")
    op.drop_table("passkey")
    op.drop_index(op.f("one_time_link_person_id_idx"), table_name="one_time_link")
    op.drop_table("one_time_link")
    op.drop_index(op.f("membership_person_id_idx"), table_name="membership")
    op.drop_table("membership")
    op.drop_index(op.f("macro_team_id_idx"), table_name="macro")
    op.drop_index(op.f("macro_owner_id_idx"), table_name="macro")
    op.drop_table("macro")
    op.drop_index(op.f("idempotency_answered_at_idx"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index(op.f("canned_reply_team_id_idx"), table_name="canned_reply")
    op.drop_index(op.f("canned_reply_shortcut_idx"), table_name="canned_reply")
    op.drop_index(op.f("canned_reply_owner_id_idx"), table_name="canned_reply")
    op.drop_table("canned_reply")
    op.drop_index(op.f("bulk_made_by_id_idx"), table_name="bulk")
    op.drop_table("bulk")
    op.drop_index(op.f("api_token_person_id_idx"), table_name="api_token")
    op.drop_table("api_token")
    op.drop_index(op.f("organization_domain_organization_id_idx"), table_name="organization_domain")
    op.drop_table("organization_domain")
    op.drop_index(op.f("custom_field_team_id_idx"), table_name="custom_field")
    op.drop_table("custom_field")
    op.drop_table("team")
    op.drop_table("tag")
    op.drop_index(op.f("spent_challenge_expires_at_idx"), table_name="spent_challenge")
    op.drop_table("spent_challenge")
    op.drop_table("settings_seen")
    op.drop_table("role_policy")
    op.drop_table("audit_checkpoint")
