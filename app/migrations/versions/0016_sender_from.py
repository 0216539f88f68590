"""A mailbox says which field of its mails names who wrote."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    column = sa.Column("sender_from", sa.String(length=40), nullable=False, server_default="from")
    op.add_column("mailbox", column)
    op.create_check_constraint(op.f("mailbox_sender_from_check"), "mailbox", "sender_from IN ('from', 'reply_to')")


def downgrade() -> None:
    op.drop_column("mailbox", "sender_from")
