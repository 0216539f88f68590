"""Several mailboxes, each with its team, priority and address; mails that a server lists but does not give."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("inbound_mail", sa.Column("refusal", sa.Text(), nullable=True))
    op.add_column("mailbox", sa.Column("password", sa.LargeBinary(), nullable=True))
    op.add_column("mailbox", sa.Column("team_id", sa.BigInteger(), nullable=True))
    op.add_column("mailbox", sa.Column("priority", sa.String(40), nullable=False, server_default="medium"))
    op.add_column("mailbox", sa.Column("import_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mailbox", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key("mailbox_team_id_fkey", "mailbox", "team", ["team_id"], ["id"])
    op.create_check_constraint(op.f("mailbox_priority_check"), "mailbox", "priority IN ('low', 'medium', 'high', 'urgent')")
    op.add_column("ticket", sa.Column("desk_address", sa.Text(), nullable=True))
    op.add_column("outbox", sa.Column("from_address", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "from_address")
    op.drop_column("ticket", "desk_address")
    for name in ("paused_at", "import_since", "priority", "team_id", "password"):
        op.drop_column("mailbox", name)
    op.drop_column("inbound_mail", "refusal")
