"""The time zone that somebody is told times in."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.add_column("person", sa.Column("zone", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("person", "zone")
