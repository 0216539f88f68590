"""Addresses that get no more mail, and how many acknowledgements went to a domain."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "suppression",
        sa.Column("address", sa.Text(), primary_key=True),
        sa.Column("cause", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cause IN ('hard', 'soft', 'complaint')", name=op.f("suppression_cause_check")),
    )
    op.create_index("suppression_since_idx", "suppression", ["since"])
    op.create_index(
        "outbox_acknowledged_domain_idx",
        "outbox",
        [sa.text("split_part(to_address, '@', 2)"), "created_at"],
        postgresql_where=sa.text("kind = 'acknowledgement'"),
    )


def downgrade() -> None:
    op.drop_index("outbox_acknowledged_domain_idx", "outbox")
    op.drop_table("suppression")
