"""Calendars whose versions say who made them and why, that can be removed, and that follow a feed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("calendar", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("calendar", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("calendar", "revision", server_default=None)
    op.drop_constraint("calendar_name_key", "calendar")
    op.create_index("calendar_name_idx", "calendar", ["name"], unique=True, postgresql_where=sa.text("removed_at IS NULL"))
    for column, kind, default in (
        ("created_at", sa.DateTime(timezone=True), sa.text("now()")),
        ("actor", sa.Text(), "desk"),
        ("why", sa.Text(), ""),
    ):
        op.add_column("calendar_version", sa.Column(column, kind, nullable=False, server_default=default))
        op.alter_column("calendar_version", column, server_default=None)
    op.add_column("calendar_version", sa.Column("actor_id", sa.BigInteger(), nullable=True))
    op.drop_constraint("calendar_version_calendar_id_effective_from_key", "calendar_version")
    op.create_index("calendar_version_calendar_idx", "calendar_version", ["calendar_id", "id"])
    op.create_table(
        "calendar_feed",
        sa.Column("calendar_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("found", JSONB(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendar.id"], name=op.f("calendar_feed_calendar_id_fkey")),
        sa.PrimaryKeyConstraint("calendar_id", name=op.f("calendar_feed_pkey")),
    )
    op.create_index("calendar_feed_due_idx", "calendar_feed", ["next_at"])


def downgrade() -> None:
    """Of the versions that hold from one instant on, the newest stays: the others say nothing. Removed ones get other names."""
    op.drop_table("calendar_feed")
    op.drop_index("calendar_version_calendar_idx", "calendar_version")
    for column in ("actor_id", "why", "actor", "created_at"):
        op.drop_column("calendar_version", column)
    op.execute("""
        UPDATE sla_clock c SET calendar_version_id = n.id
        FROM calendar_version v
        JOIN (SELECT calendar_id, effective_from, max(id) AS id FROM calendar_version GROUP BY 1, 2) n
            ON n.calendar_id = v.calendar_id AND n.effective_from = v.effective_from
        WHERE v.id = c.calendar_version_id AND n.id <> v.id
    """)
    op.execute("""
        DELETE FROM calendar_version v USING calendar_version n
        WHERE n.calendar_id = v.calendar_id AND n.effective_from = v.effective_from AND n.id > v.id
    """)
    op.create_unique_constraint(
        "calendar_version_calendar_id_effective_from_key", "calendar_version", ["calendar_id", "effective_from"]
    )
    op.drop_index("calendar_name_idx", "calendar")
    op.execute("UPDATE calendar SET name = name || ' (removed ' || id || ')' WHERE removed_at IS NOT NULL")
    op.create_unique_constraint("calendar_name_key", "calendar", ["name"])
    op.drop_column("calendar", "removed_at")
    op.drop_column("calendar", "revision")
