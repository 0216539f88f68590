"""Which letters somebody gets because they follow a ticket."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("follower", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "follower")
