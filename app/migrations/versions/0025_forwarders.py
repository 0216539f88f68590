"""The forwarders whose seals (ARC) each mailbox believes."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column("mailbox", sa.Column("forwarders", sa.ARRAY(sa.Text()), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("mailbox", "forwarders")
