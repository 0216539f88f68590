"""A mailbox says what becomes of a mail whose sender could not be verified."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    column = sa.Column("disowned", sa.String(length=40), nullable=False, server_default="quarantine")
    op.add_column("mailbox", column)
    op.create_check_constraint(op.f("mailbox_disowned_check"), "mailbox", "disowned IN ('quarantine', 'flag', 'accept')")


def downgrade() -> None:
    op.drop_column("mailbox", "disowned")
