"""Alembic's entry: runs on the connection that `lab.store.db.migrate` hands over."""

from alembic import context

from lab.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
