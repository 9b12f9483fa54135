"""Connections to a PostgreSQL server, or to what speaks its protocol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, event

from sortition.errors import StoreError

if TYPE_CHECKING:
    from sortition.store.deadline import DeadlineConnection

__all__ = ["MIGRATION_LOCK", "connect", "open_alone", "silence_s"]

MIGRATION_LOCK = 0x736F7274
"""The advisory lock under which migrations run: "sort"."""
_READERS = 8
# A statement that makes progress may take longer than the wait for a lock or for a word from the server: the batch of a
# sidecar that was cut off for days is large.
_STATEMENT_FACTOR = 10


def connect(url: URL, timeout_s: float) -> tuple[Engine, Engine]:
    """Returns the engine that writes, over one connection, and the one that reads.

    Args:
        url: Its scheme is postgresql.
        timeout_s: How long a connection and a lock are waited for; a server that says nothing is given half as much
            more, and a statement ten times that.

    Raises:
        StoreError: The driver is not installed.
    """
    driver = url.set(drivername="postgresql+psycopg")
    pool: dict[str, Any] = {"max_overflow": 0, "pool_timeout": timeout_s, "pool_pre_ping": True}
    try:
        writing = create_engine(driver, pool_size=1, **pool)
        # One state of the database for all statements of a transaction.
        reading = create_engine(driver, pool_size=_READERS, isolation_level="REPEATABLE READ", **pool)
        kind = _kind(timeout_s)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{url.render_as_string()}: PostgreSQL needs the module {error.name}; "
            "install it with: pip install 'sortition[postgresql]'"
        ) from error
    given = _parameters(timeout_s)

    def open_one(dialect: object, record: object, arguments: Any, parameters: dict[str, Any]) -> DeadlineConnection:
        return kind.connect(*arguments, **_with_defaults(given, parameters))

    for engine in (writing, reading):
        event.listen(engine, "do_connect", open_one)
    return writing, reading.execution_options(postgresql_readonly=True)


def open_alone(url: URL, timeout_s: float) -> DeadlineConnection:
    """Returns a connection outside of any pool, each of whose statements is a transaction.

    Args:
        url: Its scheme is postgresql.
        timeout_s: As of `connect`.
    """
    parameters = url.translate_connect_args(username="user", database="dbname")
    given = {**_parameters(timeout_s), "autocommit": True}
    return _kind(timeout_s).connect(**_with_defaults(given, {**url.query, **parameters}))


def silence_s(timeout_s: float) -> float:
    """Returns how long a server may say nothing: longer than it waits for a lock, as it does that in silence."""
    return max(1.5 * timeout_s, timeout_s + 1)


def _statement_s(timeout_s: float) -> float:
    return _STATEMENT_FACTOR * silence_s(timeout_s)


def _kind(timeout_s: float) -> type[DeadlineConnection]:
    """Returns the class of connections with these time limits."""
    from sortition.store.deadline import DeadlineConnection

    limits = {"silence_s": silence_s(timeout_s), "statement_s": _statement_s(timeout_s)}
    return type("TimedConnection", (DeadlineConnection,), limits)


def _parameters(timeout_s: float) -> dict[str, Any]:
    whole_s = max(1, math.ceil(timeout_s))
    # The server keeps to these where it can: a transaction whose client is gone must not hold its locks for long.
    limits = {
        "lock_timeout": max(1, math.ceil(timeout_s * 1000)),
        "statement_timeout": math.ceil(_statement_s(timeout_s) * 1000),
        "idle_in_transaction_session_timeout": math.ceil(_statement_s(timeout_s) * 1000),
        "synchronous_commit": "on",
    }
    return {
        # The driver allows no less.
        "connect_timeout": max(2, whole_s),
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        "application_name": "sortition",
        # A connection whose other end is gone is found out also while nobody uses it.
        "keepalives": 1,
        "keepalives_idle": whole_s,
        "keepalives_interval": max(1, whole_s // 3),
        "keepalives_count": 3,
        "tcp_user_timeout": whole_s * 1000,
    }


def _with_defaults(given: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns the parameters of a connection: those of the URL win, but not over the session's settings."""
    both = " ".join(str(each["options"]) for each in (parameters, given) if each.get("options"))
    return {**given, **parameters, "options": both}
