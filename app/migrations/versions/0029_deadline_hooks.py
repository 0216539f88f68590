"""Webhooks are told of deadlines, and what they were told is evidence that outlives them."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

_KEY = "webhook_delivery_webhook_id_fkey"


def upgrade() -> None:
    op.add_column("sla_notice", sa.Column("delivery_id", sa.BigInteger(), nullable=True))
    op.alter_column("sla_notice", "token_hash", nullable=True)
    op.alter_column("webhook_delivery", "webhook_id", nullable=True)
    op.drop_constraint(_KEY, "webhook_delivery", type_="foreignkey")
    op.create_foreign_key(_KEY, "webhook_delivery", "webhook", ["webhook_id"], ["id"], ondelete="SET NULL")


def downgrade() -> None:
    op.drop_constraint(_KEY, "webhook_delivery", type_="foreignkey")
    op.execute("DELETE FROM webhook_delivery WHERE webhook_id IS NULL")
    op.create_foreign_key(_KEY, "webhook_delivery", "webhook", ["webhook_id"], ["id"], ondelete="CASCADE")
    op.alter_column("webhook_delivery", "webhook_id", nullable=False)
    op.execute("DELETE FROM sla_notice WHERE token_hash IS NULL")
    op.alter_column("sla_notice", "token_hash", nullable=False)
    op.drop_column("sla_notice", "delivery_id")
