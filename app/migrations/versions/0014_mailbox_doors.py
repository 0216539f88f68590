"""Mailboxes that sign in by OAuth, that move what they took, or that were named from afar."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

STATES, STATES_BEFORE = "'ok', 'failing', 'blocked', 'needs_reauth'", "'ok', 'failing', 'blocked'"
CLASSES_BEFORE = "'auth', 'folder', 'certificate', 'overload', 'transport'"
CLASSES = CLASSES_BEFORE.replace("'folder'", "'grant', 'folder'")


def upgrade() -> None:
    op.add_column("mailbox", sa.Column("processed_folder", sa.Text(), nullable=True))
    op.add_column("mailbox", sa.Column("anywhere", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("mailbox", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="1"))
    _allow(STATES, CLASSES)
    op.create_table(
        "mailbox_grant",
        sa.Column("mailbox_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("token_url", sa.Text(), nullable=False),
        sa.Column("authorize_url", sa.Text(), nullable=True),
        sa.Column("device_url", sa.Text(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_secret", sa.LargeBinary(), nullable=True),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=True),
        sa.Column("access_token", sa.LargeBinary(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name=op.f("mailbox_grant_mailbox_id_fkey")),
        sa.PrimaryKeyConstraint("mailbox_id", name=op.f("mailbox_grant_pkey")),
    )


def downgrade() -> None:
    op.drop_table("mailbox_grant")
    op.execute("UPDATE mailbox SET state = 'blocked' WHERE state = 'needs_reauth'")
    op.execute("UPDATE mailbox SET failure_class = 'auth' WHERE failure_class = 'grant'")
    _allow(STATES_BEFORE, CLASSES_BEFORE)
    op.drop_column("mailbox", "revision")
    op.drop_column("mailbox", "anywhere")
    op.drop_column("mailbox", "processed_folder")


def _allow(states: str, classes: str) -> None:
    for column, words in (("state", states), ("failure_class", classes)):
        op.drop_constraint(op.f(f"mailbox_{column}_check"), "mailbox", type_="check")
        op.create_check_constraint(op.f(f"mailbox_{column}_check"), "mailbox", f"{column} IN ({words})")
