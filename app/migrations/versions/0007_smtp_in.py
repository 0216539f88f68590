"""Mailboxes that mail comes to by SMTP alone, and numbers for what comes that way."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("mailbox", sa.Column("smtp_only", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.schema.CreateSequence(sa.Sequence("smtp_in_uid_seq")))


def downgrade() -> None:
    op.execute(sa.schema.DropSequence(sa.Sequence("smtp_in_uid_seq")))
    op.drop_column("mailbox", "smtp_only")
