"""What alembic runs: it migrates over the connection it is given, in that connection's transaction."""

from __future__ import annotations

from alembic import context

from sortition.store.migrations import VERSION_TABLE
from sortition.store.schema import metadata

__all__: list[str] = []


def _run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
    )
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs this file under that name; whoever only imports it, as a search for doctests does, migrates nothing.
if __name__ == "env_py":
    _run()
