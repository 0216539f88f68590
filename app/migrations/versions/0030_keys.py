"""OpenPGP keys that somebody confirmed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.create_table(
        "sender_key",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("names", ARRAY(sa.Text()), nullable=False),
        sa.Column("people", ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("inbound_mail_id", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by_id", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("sender_key_pkey")),
        sa.ForeignKeyConstraint(["inbound_mail_id"], ["inbound_mail.id"], name=op.f("sender_key_inbound_mail_id_fkey")),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["person.id"], name=op.f("sender_key_confirmed_by_id_fkey")),
        sa.ForeignKeyConstraint(["withdrawn_by_id"], ["person.id"], name=op.f("sender_key_withdrawn_by_id_fkey")),
    )
    stands = sa.text("withdrawn_at IS NULL")
    op.create_index("sender_key_confirmed_idx", "sender_key", ["address", "fingerprint"], unique=True, postgresql_where=stands)
    op.create_index("sender_key_names_idx", "sender_key", ["names"], postgresql_using="gin", postgresql_where=stands)


def downgrade() -> None:
    op.drop_table("sender_key")
