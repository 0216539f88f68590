"""How Alembic reaches the database: by the engine it is handed."""

from alembic import context

from app.migrations.tables import metadata

with context.config.attributes["engine"].connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
