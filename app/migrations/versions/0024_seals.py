"""What each mail's signature shows, or that it is encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("inbound_mail", sa.Column("seal", sa.String(40), nullable=True))
    op.add_column("inbound_mail", sa.Column("seal_words", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("inbound_mail_seal_check"), "inbound_mail", "seal IN ('good', 'doubtful', 'broken', 'unknown', 'encrypted')"
    )


def downgrade() -> None:
    op.drop_column("inbound_mail", "seal_words")
    op.drop_column("inbound_mail", "seal")
