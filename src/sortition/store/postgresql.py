"""Connections to a PostgreSQL server, or to what speaks its protocol."""

from __future__ import annotations

import math

from sqlalchemy import URL, Engine, create_engine

from sortition.errors import StoreError

__all__ = ["MIGRATION_LOCK", "connect"]

MIGRATION_LOCK = 0x736F7274
"""The advisory lock under which migrations run: "sort"."""
_READERS = 8


def connect(url: URL, timeout_s: float) -> tuple[Engine, Engine]:
    """Returns the engine that writes, over one connection, and the one that reads.

    Args:
        url: Its scheme is postgresql.
        timeout_s: How long a connection and a lock are waited for.

    Raises:
        StoreError: The driver is not installed.
    """
    url = url.set(drivername="postgresql+psycopg")
    options = {
        "connect_timeout": max(2, math.ceil(timeout_s)),
        "options": f"-c lock_timeout={max(1, math.ceil(timeout_s * 1000))} -c synchronous_commit=on",
    }
    try:
        writing = create_engine(
            url, connect_args=options, pool_size=1, max_overflow=0, pool_timeout=timeout_s, pool_pre_ping=True
        )
        reading = create_engine(
            url,
            connect_args=options,
            pool_size=_READERS,
            max_overflow=0,
            pool_timeout=timeout_s,
            pool_pre_ping=True,
            # One state of the database for all statements of a transaction.
            isolation_level="REPEATABLE READ",
        ).execution_options(postgresql_readonly=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{url.render_as_string()}: PostgreSQL needs the module {error.name}; "
            "install it with: pip install 'sortition[postgresql]'"
        ) from error
    return writing, reading
