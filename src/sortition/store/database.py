"""A database: opened, migrated, and used in transactions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from sqlalchemy import Connection, Engine, insert, make_url, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sortition.errors import StoreError
from sortition.store import postgresql, sqlite
from sortition.store.failures import translate
from sortition.store.migrations import is_current, migrate
from sortition.store.schema import installation

__all__ = ["Database"]

KEY_BYTES = 32


class Database:
    """A database that is open. Safe to share between threads.

    Attributes:
        kind: "sqlite" or "postgresql".
        name: What it is called in messages: the file, or the URL without its password.
        installation_key: 32 random bytes, made when the database was; they hash the ids of units.
    """

    def __init__(self, kind: str, name: str, writing: Engine, reading: Engine) -> None:
        self.kind = kind
        self.name = name
        self._writing = writing
        self._reading = reading
        self.installation_key = b""

    @classmethod
    def open(cls, url: str, *, create: bool = True, timeout_s: float = 10) -> Database:
        """Opens a database and brings its schema to this version.

        Args:
            url: ``sqlite:////absolute/path`` (see `sqlite_url`) or ``postgresql://user@host/name``.
            create: Whether a missing SQLite file is made.
            timeout_s: How long a lock or a connection is waited for, here and in every transaction.

        Raises:
            StoreError: It is damaged, newer than this version, not a database of sortition, or may not be written; or
                `url` is not one of these two.
            StoreUnavailable: It is locked, or the server cannot be reached.
        """
        db = cls._connect(url, create, timeout_s)
        try:
            db._prepare()
        except BaseException:
            db.close()
            raise
        return db

    @classmethod
    def _connect(cls, url: str, create: bool, timeout_s: float) -> Database:
        scheme = url.partition(":")[0]
        if scheme == "sqlite":
            path = sqlite.path_of(url)
            sqlite.make_file(path, create=create)
            return cls("sqlite", str(path), *sqlite.connect(path, timeout_s))
        if scheme == "postgresql":
            try:
                parsed = make_url(url)
            except (ArgumentError, ValueError):
                # Neither the URL nor what was wrong with it is shown: it may hold a password.
                raise StoreError("the database URL cannot be read; write postgresql://user@host:5432/name") from None
            return cls("postgresql", parsed.render_as_string(), *postgresql.connect(parsed, timeout_s))
        raise StoreError(f"the database URL begins with {scheme!r}; use sqlite:///path or postgresql://host/name")

    def _prepare(self) -> None:
        with self.read() as tx:
            current = is_current(tx, self.name)
        if not current:
            with self.write() as tx:
                self._lock_out_migrations(tx)
                # Another sidecar may have migrated while this one waited for the lock.
                if not is_current(tx, self.name):
                    migrate(tx)
                if tx.execute(select(installation.c.id)).first() is None:
                    row = {"id": 1, "key": secrets.token_bytes(KEY_BYTES), "revision": 0}
                    tx.execute(insert(installation), {**row, "created_at": datetime.now(timezone.utc)})
        with self.read() as tx:
            key: bytes | None = tx.execute(select(installation.c.key)).scalar_one_or_none()
        if key is None or len(key) != KEY_BYTES:
            raise StoreError(f"{self.name}: the installation's key is gone; restore a copy of the database")
        self.installation_key = key

    def _lock_out_migrations(self, tx: Connection) -> None:
        # On SQLite the transaction itself is the lock.
        if self.kind == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": postgresql.MIGRATION_LOCK})

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Opens the transaction that may write; commits at the end of the block, rolls back when it raises.

        There is one at a time in a process, and on SQLite in all of them; others wait until the time limit. One
        inside another would wait for itself, and fails at that limit too.

        Raises:
            StoreUnavailable: The lock was not had in time, or the server is away: nothing is known to have changed, the
                same may succeed later.
            StoreError: The database cannot be used.
            InternalError: A constraint refused a row that should not have been written.
        """
        try:
            with self._writing.begin() as tx:
                yield tx
        except SQLAlchemyError as error:
            raise translate(error, self.name) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Opens a transaction that sees one state of the database and cannot write.

        Raises:
            StoreUnavailable: The server is away, or all connections stayed busy.
            StoreError: The database cannot be used.
        """
        try:
            with self._reading.begin() as tx:
                yield tx
        except SQLAlchemyError as error:
            raise translate(error, self.name) from error

    def close(self) -> None:
        """Closes its connections."""
        self._reading.dispose()
        self._writing.dispose()
