"""Where a backup is kept as well."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.add_column("backup", sa.Column("copied_to", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("backup", "copied_to")
