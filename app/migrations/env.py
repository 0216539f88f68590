"""How Alembic reaches the database: by the engine it is handed. All migrations are one transaction: done, or not begun."""

from typing import Any

from alembic import context

from app.migrations.tables import metadata


def _applied(*, step: Any, **_: Any) -> None:
    if (done := context.config.attributes.get("done")) is not None:
        done(step.up_revision_id)


with context.config.attributes["engine"].connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, on_version_apply=_applied)  # type: ignore[arg-type]
    with context.begin_transaction():
        context.run_migrations()
