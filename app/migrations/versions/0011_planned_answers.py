"""Answers that go out later."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

STATUSES = "'new', 'accepted', 'in_progress', 'waiting_customer', 'resolved', 'closed', 'cancelled'"


def upgrade() -> None:
    op.create_table(
        "planned_answer",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("files", postgresql.JSONB(), nullable=False),
        sa.Column("then", sa.String(40), nullable=True),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint(f'"then" IN ({STATUSES})', name=op.f("planned_answer_then_check")),
        sa.CheckConstraint("channel IN ('mail', 'page', 'api')", name=op.f("planned_answer_channel_check")),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.number"], name=op.f("planned_answer_ticket_fkey")),
        sa.ForeignKeyConstraint(["author_id"], ["person.id"], name=op.f("planned_answer_author_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("planned_answer_pkey")),
    )
    op.create_index(op.f("planned_answer_ticket_idx"), "planned_answer", ["ticket"])
    op.create_index("planned_answer_due_idx", "planned_answer", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_table("planned_answer")
