"""What happened to tickets and matters to their clocks: from it other promises are tried."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "sla_moment",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("moments", ARRAY(sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sla_moment_pkey")),
    )
    op.create_index("sla_moment_ticket_idx", "sla_moment", ["ticket", "id"])


def downgrade() -> None:
    op.drop_table("sla_moment")
