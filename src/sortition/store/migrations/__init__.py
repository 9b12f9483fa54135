"""Brings a database to the schema of this version, in one transaction."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect

from sortition.errors import StoreError
from sortition.store.schema import metadata

__all__ = ["VERSION_TABLE", "is_current", "migrate"]

# Not alembic's usual name: in a PostgreSQL schema shared with another application that one may be taken.
VERSION_TABLE = "sortition_schema"
# Alembic works through module-level proxies, which two databases opened at the same time would share.
_ALEMBIC = threading.Lock()


def is_current(connection: Connection, where: str) -> bool:
    """Whether the schema is the one of this version.

    Args:
        connection: In a transaction; only read from.
        where: The database, for people.

    Raises:
        StoreError: The schema is newer than this version, or the tables in it are somebody else's.
    """
    # Alembic takes a while to import, and most opens are of a database that was opened before.
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    script = ScriptDirectory.from_config(config)
    known = [revision.revision for revision in script.walk_revisions()]
    found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    if found is None:
        strangers = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
        if strangers:
            raise StoreError(
                f"{where}: holds tables that sortition did not make ({', '.join(strangers)}); use an empty database"
            )
        return False
    if found not in known:
        raise StoreError(
            f"{where}: its schema {found} is newer than the newest this version knows, {known[0]}; "
            "upgrade sortition, or use another database"
        )
    return found == known[0]


def migrate(connection: Connection) -> None:
    """Runs the missing migrations.

    Args:
        connection: In a transaction that holds the lock against other sidecars; the caller commits.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")
