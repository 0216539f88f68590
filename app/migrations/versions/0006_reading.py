"""What pages fold of a mail's text, which files its HTML shows, mails that a person let through, and redoing old HTML."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("message", sa.Column("folds", JSONB(), nullable=False, server_default="[]"))
    op.add_column("attachment", sa.Column("content_id", sa.Text(), nullable=True))
    op.add_column("inbound_mail", sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "message_html_policy_idx",
        "message",
        ["html_policy", "id"],
        postgresql_where=sa.text("html_policy IS NOT NULL AND inbound_mail_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("message_html_policy_idx", "message")
    op.drop_column("inbound_mail", "released_at")
    op.drop_column("attachment", "content_id")
    op.drop_column("message", "folds")
