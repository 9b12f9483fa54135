"""What a database's errors mean."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sortition.errors import InternalError, SortitionError, StoreError, StoreUnavailable

__all__ = ["asks_to_repeat", "is_locked", "translate"]

# The driver gives SQLite's result codes to Python 3.11 and later only; its texts are the same since 2004.
_LOCKED = ("database is locked", "database table is locked", "database schema is locked")
_PASSING = (*_LOCKED, "database or disk is full", "database schema has changed")
_ADVICE = {
    "file is not a database": "the file is not a sortition database; name another file, or restore a copy",
    "malformed": "the file is damaged; stop every sidecar that uses it and restore a copy",
    "readonly database": "the file or its directory cannot be written; give this user the right to",
    "unable to open database file": "check that it is a file, and that this user may read and write it",
    "disk I/O error": "the disk failed to read or write; check the disk and the system's log",
    "no such table": "a table is missing; the file was changed by something else: restore a copy",
    "no such column": "a column is missing; the file was changed by something else: restore a copy",
}
# Classes of SQLSTATE after which the same transaction may succeed: connection, serialization and deadlock, resources,
# operator intervention; and the one code for a lock that was not granted in time.
_PASSING_STATES = ("08", "40", "53", "57")
_LOCK_NOT_AVAILABLE = "55P03"
# The database chose this transaction to make room for another one: serialization failure, deadlock.
_REPEAT_STATES = ("40001", "40P01")


def translate(error: SQLAlchemyError | sqlite3.Error, where: str) -> SortitionError:
    """Returns the sortition error that says what `error` means for the caller.

    Args:
        error: What SQLAlchemy or the driver raised.
        where: The database, for people; without a password.
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = " ".join(str(cause).split()) or type(cause).__name__
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(f"{where}: all connections stayed busy until the time limit; try again")
    if isinstance(error, IntegrityError):
        return InternalError(f"{where}: a constraint refused a row: {text}")
    if isinstance(cause, sqlite3.Error):
        return _sqlite(cause, text, where)
    if isinstance(error, DBAPIError):
        return _postgresql(error, getattr(cause, "sqlstate", None), text, where)
    return InternalError(f"{where}: {text}")


def asks_to_repeat(error: SortitionError) -> bool:
    """Whether `error`, from `translate`, says that the same transaction should simply be run once more."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) in _REPEAT_STATES


def is_locked(error: BaseException) -> bool:
    """Whether another connection held a lock for too long."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, sqlite3.OperationalError) and str(cause).startswith(_LOCKED)


def _sqlite(cause: sqlite3.Error, text: str, where: str) -> SortitionError:
    if is_locked(cause):
        return StoreUnavailable(f"{where}: another connection kept it locked until the time limit ({text}); try again")
    if any(part in text for part in _PASSING):
        return StoreUnavailable(f"{where}: {text}; try again")
    advice = next((advice for part, advice in _ADVICE.items() if part in text), "")
    return StoreError(f"{where}: {advice} ({text})" if advice else f"{where}: {text}")


def _postgresql(error: DBAPIError, state: str | None, text: str, where: str) -> SortitionError:
    # Without a state nothing was heard from the server: no connection, or not any more.
    passing = error.connection_invalidated or state is None or state.startswith(_PASSING_STATES)
    if passing or state == _LOCK_NOT_AVAILABLE:
        return StoreUnavailable(f"{where}: {text}; try again")
    return StoreError(f"{where}: {text} (SQLSTATE {state})")
