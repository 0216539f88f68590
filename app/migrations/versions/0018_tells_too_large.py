"""A mailbox says whether who sends a mail that is too large hears of it."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("mailbox", sa.Column("tells_too_large", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("mailbox", "tells_too_large")
