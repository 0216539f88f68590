"""Which thread each mail belongs to, so that it does not matter in which order they come."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("inbound_mail", sa.Column("thread", sa.ARRAY(sa.Text()), nullable=True))
    op.create_index("inbound_mail_thread_idx", "inbound_mail", ["thread"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("inbound_mail_thread_idx", "inbound_mail")
    op.drop_column("inbound_mail", "thread")
