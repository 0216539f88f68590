"""Who is told when a deadline passes, who was, and who looks after it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"

_TIME = sa.DateTime(timezone=True)
_METRICS = ("first_response", "next_response", "periodic_update", "resolution")
# What every policy did until now: the managers are told once that a deadline was missed.
_AS_BEFORE = """
    INSERT INTO sla_step (policy_id, version, position, metric, threshold, recipients, most)
    SELECT p.id, p.version, row_number() OVER (PARTITION BY p.id ORDER BY m.metric), m.metric, '100%', '["managers"]', 1
    FROM sla_policy p CROSS JOIN unnest(ARRAY['first_response', 'next_response', 'periodic_update', 'resolution']) AS m(metric)
"""


def upgrade() -> None:
    op.create_table(
        "sla_step",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column(
            "metric",
            sa.Enum(*_METRICS, name="metric", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("threshold", sa.Text(), nullable=False),
        sa.Column("recipients", JSONB(), nullable=False),
        sa.Column("calendar_id", sa.BigInteger(), nullable=True),
        sa.Column("repeat", sa.Interval(), nullable=True),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["sla_policy.id"], name=op.f("sla_step_policy_id_fkey")),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendar.id"], name=op.f("sla_step_calendar_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_step_pkey")),
        sa.UniqueConstraint("policy_id", "version", "position", name=op.f("sla_step_policy_id_version_position_key")),
    )
    op.create_table(
        "sla_escalation",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("step_id", sa.BigInteger(), nullable=False),
        sa.Column("clock_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column(
            "ended",
            sa.Enum("acknowledged", "over", "told", name="ended", native_enum=False, create_constraint=True, length=40),
            nullable=True,
        ),
        sa.Column("acknowledged_at", _TIME, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["sla_event.id"], name=op.f("sla_escalation_event_id_fkey")),
        sa.ForeignKeyConstraint(["step_id"], ["sla_step.id"], name=op.f("sla_escalation_step_id_fkey")),
        sa.ForeignKeyConstraint(["clock_id"], ["sla_clock.id"], name=op.f("sla_escalation_clock_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_escalation_pkey")),
        sa.UniqueConstraint("event_id", "step_id", name=op.f("sla_escalation_event_id_step_id_key")),
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.02},
    )
    op.create_index(op.f("sla_escalation_ticket_idx"), "sla_escalation", ["ticket"])
    op.create_index("sla_escalation_due", "sla_escalation", ["next_at"], postgresql_where=sa.text("next_at IS NOT NULL"))
    op.create_table(
        "sla_notice",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("escalation_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["escalation_id"], ["sla_escalation.id"], name=op.f("sla_notice_escalation_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_notice_pkey")),
        sa.UniqueConstraint("escalation_id", "round", "address", name=op.f("sla_notice_escalation_id_round_address_key")),
        sa.UniqueConstraint("token_hash", name=op.f("sla_notice_token_hash_key")),
    )
    op.create_index("sla_event_detected_idx", "sla_event", ["detected_at"])
    op.execute(_AS_BEFORE)


def downgrade() -> None:
    op.drop_index("sla_event_detected_idx", table_name="sla_event")
    op.drop_table("sla_notice")
    op.drop_table("sla_escalation")
    op.drop_table("sla_step")
