"""Mails that a server lists but does not give."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("inbound_mail", sa.Column("refusal", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("inbound_mail", "refusal")
