"""Clocks are reckoned again some at a time after promises changed, and know since when they have their promise."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("sla_clock", sa.Column("promised_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "sla_rebuild",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("everything", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("passed", JSONB(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=True),
        sa.Column("again_from", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_rebuild_pkey")),
    )
    op.create_index("sla_rebuild_open_idx", "sla_rebuild", ["id"], postgresql_where=sa.text("ended_at IS NULL"))


def downgrade() -> None:
    op.drop_table("sla_rebuild")
    op.drop_column("sla_clock", "promised_at")
