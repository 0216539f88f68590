"""How a mail's text was read: in which charset, and what spoke for it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("inbound_mail", sa.Column("charset", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("inbound_mail", "charset")
