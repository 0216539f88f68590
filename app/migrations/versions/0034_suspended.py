"""Clocks that no policy fits go on when one does."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"

_OPEN = sa.text("outcome IS NULL")
_OPEN_OR_SUSPENDED = sa.text("outcome IS NULL OR (outcome = 'no_policy' AND state <> 'cancelled')")


def upgrade() -> None:
    op.execute("UPDATE sla_clock SET promised_at = anchor_at WHERE outcome = 'no_policy'")
    op.drop_index("sla_clock_open", table_name="sla_clock", postgresql_where=_OPEN)
    op.create_index("sla_clock_open", "sla_clock", ["id"], unique=False, postgresql_where=_OPEN_OR_SUSPENDED)


def downgrade() -> None:
    op.execute("UPDATE sla_clock SET state = 'cancelled' WHERE outcome = 'no_policy'")
    op.drop_index("sla_clock_open", table_name="sla_clock", postgresql_where=_OPEN_OR_SUSPENDED)
    op.create_index("sla_clock_open", "sla_clock", ["id"], unique=False, postgresql_where=_OPEN)
