"""What is amiss, and when a mailbox' sign-in ends."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.create_table(
        "warned",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("warned_pkey")),
    )
    op.add_column("mailbox_grant", sa.Column("refresh_expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mailbox_grant", sa.Column("secret_expires_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("mailbox_grant", "secret_expires_at")
    op.drop_column("mailbox_grant", "refresh_expires_at")
    op.drop_table("warned")
