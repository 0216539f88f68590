"""Whether each mail is from the address it names, and which mail servers are trusted to say so."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("inbound_mail", sa.Column("verdict", sa.String(40), nullable=True))
    op.add_column("inbound_mail", sa.Column("verdict_words", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("inbound_mail_verdict_check"), "inbound_mail", "verdict IN ('pass', 'fail', 'none', 'temperror')"
    )
    op.add_column("mailbox", sa.Column("trusts", sa.ARRAY(sa.Text()), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("mailbox", "trusts")
    op.drop_column("inbound_mail", "verdict_words")
    op.drop_column("inbound_mail", "verdict")
