"""Brings a database to the schema of this version, or back to an older one, in one transaction.

A migration only adds, or removes what the version before it did not use any more: so sidecars one version older go on
with the database while they are replaced. Each migration says how far back that holds, and the database keeps it:
a version that does not know a schema knows by it whether it may use it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text, update

from sortition.errors import StoreError
from sortition.store.schema import installation, metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

__all__ = [
    "VERSION_TABLE",
    "check_revision",
    "downgrade",
    "is_usable",
    "migrate",
    "oldest_compatible",
    "stored_revision",
]

# Not alembic's usual name: in a PostgreSQL schema shared with another application that one may be taken.
VERSION_TABLE = "sortition_schema"
_versions = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32)))
# Alembic works through module-level proxies, which two databases opened at the same time would share.
_ALEMBIC = threading.Lock()


def _config() -> Config:
    # Alembic takes a while to import, and most of what uses the store never migrates.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _script() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def stored_revision(connection: Connection) -> str | None:
    """Returns the revision of the schema; None where there is none yet.

    Args:
        connection: In a transaction; only read from.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return _revision(connection)


def _revision(connection: Connection) -> str | None:
    found: str | None = connection.execute(select(_versions.c.version_num)).scalar_one_or_none()
    return found


def check_revision(connection: Connection, opened: str, where: str) -> str:
    """Checks that a schema that was opened can still be used; returns its revision.

    Args:
        connection: In a transaction; only read from.
        opened: The revision that was found usable before.
        where: The database, for people.

    Raises:
        StoreError: It was migrated since, to something this version cannot use.
    """
    found = _revision(connection)
    if found == opened:
        return opened
    if found is None or not is_usable(connection, where):
        raise StoreError(f"{where}: its schema was taken back from {opened} to {found}; restart the sidecar")
    return found


def is_usable(connection: Connection, where: str) -> bool:
    """Whether this version can use the schema as it is; otherwise `migrate` makes it so.

    Args:
        connection: In a transaction; only read from.
        where: The database, for people.

    Raises:
        StoreError: The schema is newer and not compatible with this version, or the tables in it are somebody else's.
    """
    known = [revision.revision for revision in _script().walk_revisions()]
    found = stored_revision(connection)
    if found is None:
        strangers = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
        if strangers:
            raise StoreError(
                f"{where}: holds tables that sortition did not make ({', '.join(strangers)}); use an empty database"
            )
        return False
    if found in known:
        return found == known[0]
    oldest: str | None = connection.execute(select(installation.c.compatible_down_to)).scalar_one_or_none()
    if oldest not in known:
        raise StoreError(
            f"{where}: its schema {found} is newer than the newest this version knows, {known[0]}, and asks for "
            f"{oldest} at least; upgrade sortition, or use another database"
        )
    return True


def oldest_compatible() -> str:
    """Returns the oldest revision whose versions can use the newest schema."""
    script = _script()
    return _declared(script, "head")


def _declared(script: ScriptDirectory, revision: str) -> str:
    declared: str = script.get_revision(revision).module.compatible_down_to
    return declared


def migrate(connection: Connection) -> None:
    """Runs the missing migrations.

    Args:
        connection: In a transaction that holds the lock against other sidecars; the caller commits.
    """
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")
    connection.execute(update(installation).values(compatible_down_to=oldest_compatible()))


def downgrade(connection: Connection, revision: str, where: str) -> None:
    """Takes migrations back, newest first, until the schema is that of `revision`; what only they hold is lost.

    Args:
        connection: In a transaction that holds the lock against other sidecars; the caller commits.
        revision: Where to stop, such as "0001".
        where: The database, for people.

    Raises:
        StoreError: There is no such revision, the schema is older than it, or it is not known to this version.
    """
    from alembic import command

    script = _script()
    known = [each.revision for each in script.walk_revisions()]
    found = stored_revision(connection)
    if found not in known or revision not in known or known.index(revision) < known.index(found):
        raise StoreError(
            f"{where}: its schema {found} cannot be taken back to {revision}; this version takes back "
            f"{', '.join(known[:-1])} down to {known[-1]}"
        )
    config = _config()
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.downgrade(config, revision)
    if any(column["name"] == "compatible_down_to" for column in inspect(connection).get_columns("installation")):
        connection.execute(
            text("UPDATE installation SET compatible_down_to = :oldest"), {"oldest": _declared(script, revision)}
        )
