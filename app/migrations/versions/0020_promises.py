"""Promises that depend on more than the priority, a metric more, and thresholds that are named: "75%", "-30m", "+1h"."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_METRICS = "'first_response', 'next_response', 'resolution'"
_UP = """
    ALTER TABLE sla_clock
        ALTER COLUMN next_threshold TYPE text USING next_threshold || '%',
        ADD COLUMN dealt text[] NOT NULL DEFAULT '{}';
    ALTER TABLE sla_event ALTER COLUMN threshold TYPE text USING threshold || '%';
    UPDATE sla_clock SET dealt = told.thresholds FROM (
        SELECT clock_id, array_agg(DISTINCT threshold) AS thresholds FROM sla_event GROUP BY clock_id
    ) told WHERE told.clock_id = sla_clock.id;
    UPDATE sla_target SET thresholds = (
        SELECT coalesce(jsonb_agg(each || '%'), '[]') FROM jsonb_array_elements_text(thresholds) AS each WHERE each <> '100'
    );
"""
# A threshold that was no percentage has no number: it gets one of its own, below zero, which nothing waits for.
_DOWN = """
    UPDATE sla_target SET thresholds = (
        SELECT coalesce(jsonb_agg(rtrim(each, '%')::bigint), '[]') || '[100]'
        FROM jsonb_array_elements_text(thresholds) AS each WHERE each ~ '^[0-9]+%$'
    );
    ALTER TABLE sla_event ALTER COLUMN threshold TYPE bigint USING
        CASE WHEN threshold ~ '^[0-9]+%$' THEN rtrim(threshold, '%')::bigint ELSE -abs(hashtext(threshold)::bigint) END;
    UPDATE sla_clock SET next_threshold = NULL WHERE breached_at IS NOT NULL AND '100%' = ANY(dealt);
    UPDATE sla_clock SET next_threshold = '100%' WHERE next_threshold !~ '^[0-9]+%$';
    ALTER TABLE sla_clock
        ALTER COLUMN next_threshold TYPE bigint USING rtrim(next_threshold, '%')::bigint,
        DROP COLUMN dealt;
    DELETE FROM sla_event WHERE kind = 'reminder';
"""
_WITHOUT = """
    DELETE FROM sla_event WHERE clock_id IN (SELECT id FROM sla_clock WHERE metric = 'periodic_update');
    DELETE FROM sla_segment WHERE clock_id IN (SELECT id FROM sla_clock WHERE metric = 'periodic_update');
    DELETE FROM sla_clock WHERE metric = 'periodic_update';
    DELETE FROM sla_target WHERE metric = 'periodic_update';
"""


def upgrade() -> None:
    op.execute(_UP)
    _words("sla_clock", "metric", f"{_METRICS}, 'periodic_update'")
    _words("sla_target", "metric", f"{_METRICS}, 'periodic_update'")
    _words("sla_event", "kind", "'warning', 'breach', 'reminder', 'skipped'")
    op.add_column(
        "sla_policy", sa.Column("reopening", _word("reopening", "resume", "restart"), nullable=False, server_default="resume")
    )
    op.add_column("sla_policy", sa.Column("reopen_window", sa.Interval(), nullable=False, server_default=sa.text("'14 days'")))
    op.add_column(
        "sla_policy", sa.Column("merging", _word("merging", "unchanged", "earliest"), nullable=False, server_default="unchanged")
    )
    op.add_column("sla_policy", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint("sla_policy_name_key", "sla_policy")
    op.create_index("sla_policy_name_key", "sla_policy", ["name"], unique=True, postgresql_where=sa.text("deleted_at IS NULL"))


def downgrade() -> None:
    op.drop_index("sla_policy_name_key", table_name="sla_policy")
    op.execute("UPDATE sla_policy SET name = name || ' (' || id || ')', active = false WHERE deleted_at IS NOT NULL")
    op.create_unique_constraint("sla_policy_name_key", "sla_policy", ["name"])
    for column in ("deleted_at", "merging", "reopen_window", "reopening"):
        op.drop_column("sla_policy", column)
    op.execute(_WITHOUT)
    op.execute(_DOWN)
    _words("sla_event", "kind", "'warning', 'breach', 'skipped'")
    _words("sla_target", "metric", _METRICS)
    _words("sla_clock", "metric", _METRICS)


def _word(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=40)


def _words(table: str, column: str, words: str) -> None:
    name = f"{table}_{column}_check"
    op.drop_constraint(name, table)
    op.create_check_constraint(op.f(name), table, f"{column} IN ({words})")
