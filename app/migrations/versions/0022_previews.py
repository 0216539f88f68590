"""What mails within mails say, and the events that came with a message."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("attachment", sa.Column("preview", JSONB(), nullable=True))
    op.add_column("message", sa.Column("cards", JSONB(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("message", "cards")
    op.drop_column("attachment", "preview")
