"""Mails that wait for a say whether they belong to a ticket."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "suggestion",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("inbound_mail_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("sign", sa.String(40), nullable=False),
        sa.Column("issued_to", sa.Text(), nullable=True),
        sa.Column("auto", sa.Boolean(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("files", JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("suggestion_pkey")),
        sa.UniqueConstraint("inbound_mail_id", name=op.f("suggestion_inbound_mail_id_key")),
        sa.ForeignKeyConstraint(["inbound_mail_id"], ["inbound_mail.id"], name=op.f("suggestion_inbound_mail_id_fkey")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("suggestion_ticket_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("suggestion_person_id_fkey")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["person.id"], name=op.f("suggestion_decided_by_id_fkey")),
        sa.CheckConstraint("sign IN ('issued', 'borrowed', 'ours', 'theirs', 'tag')", name=op.f("suggestion_sign_check")),
    )
    op.create_index(op.f("suggestion_ticket_idx"), "suggestion", ["ticket"])


def downgrade() -> None:
    op.drop_table("suggestion")
