"""What counts from an older ticket is remembered, so that other promises can be tried on it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.add_column("sla_moment", sa.Column("older", JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("sla_moment", "older")
