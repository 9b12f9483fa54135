"""Connections to an SQLite file: one that writes, several that read."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote, unquote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from sortition.errors import StoreError, StoreUnavailable
from sortition.store.failures import is_locked, translate

__all__ = ["SCHEME", "connect", "make_file", "path_of", "sqlite_url"]

SCHEME = "sqlite:///"
_READERS = 8
_RETRY_S = 0.02


def sqlite_url(path: Path) -> str:
    """Returns the URL of the database in the file `path`."""
    return SCHEME + quote(str(path.absolute()))


def path_of(url: str) -> Path:
    """Returns the file that a URL of SQLite names.

    Raises:
        StoreError: It names none.
    """
    name = unquote(url.removeprefix(SCHEME))
    if not url.startswith(SCHEME) or name in ("", ":memory:"):
        raise StoreError(f"{url}: names no file; write sqlite:////absolute/path/sortition.db")
    return Path(name)


def make_file(path: Path, *, create: bool) -> None:
    """Makes sure that the file is there; a new one is its owner's alone, for it will hold the installation's key.

    Raises:
        StoreError: It is not there and may not or cannot be made.
    """
    try:
        if path.exists():
            return
        if not create:
            raise StoreError(f"{path}: there is no such database; check the path, or start a sidecar to create it")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be created ({error.strerror}); name a file in a directory that exists and is writable"
        ) from error


def connect(path: Path, timeout_s: float) -> tuple[Engine, Engine]:
    """Returns the engine that writes, over one connection, and the one that reads.

    Args:
        path: An existing file; turned to write-ahead logging, so that readers and the writer never wait for each other.
        timeout_s: How long a lock is waited for.

    Raises:
        StoreError: It is no database, is damaged, or cannot be written.
        StoreUnavailable: It stayed locked.
    """
    _use_write_ahead_log(path, timeout_s)
    writing = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: _open(path, "rw", timeout_s),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=timeout_s,
    )
    reading = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: _open(path, "ro", timeout_s),
        poolclass=QueuePool,
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=timeout_s,
    )
    # The driver would begin by itself, but not before DDL and not before SELECT. The writer takes its lock at once: a
    # transaction that reads first and writes later could find that somebody else wrote in between.
    event.listen(writing, "begin", _begin_immediate)
    event.listen(reading, "begin", _begin)
    return writing, reading


def _open(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        # The pool hands a connection to one thread at a time.
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # What was committed has to survive a power loss: the log is cut after the commit.
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _use_write_ahead_log(path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection = _open(path, "rw", timeout_s)
            try:
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            finally:
                connection.close()
        except sqlite3.Error as error:
            # Two sidecars that switch a new file at the same time: SQLite refuses one of them without waiting.
            if is_locked(error) and time.monotonic() < deadline:
                time.sleep(_RETRY_S)
                continue
            raise translate(error, str(path)) from error
        if mode == "wal":
            return
        if time.monotonic() >= deadline:
            raise StoreUnavailable(f"{path}: could not be switched to write-ahead logging, but stayed in mode {mode}")
        time.sleep(_RETRY_S)
