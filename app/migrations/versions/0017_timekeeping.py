"""What the workers know of the time, and what the last replay of all clocks found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sla_hwm",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("away_from", _TIME, nullable=True),
        sa.Column("away_until", _TIME, nullable=True),
        sa.Column("stepped_at", _TIME, nullable=True),
        sa.Column("stepped_by", sa.Interval(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_hwm_pkey")),
    )
    op.create_table(
        "sla_recheck",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("finished_at", _TIME, nullable=False),
        sa.Column("differences", sa.BigInteger(), nullable=False),
        sa.Column("differing", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_recheck_pkey")),
    )


def downgrade() -> None:
    op.drop_table("sla_recheck")
    op.drop_table("sla_hwm")
