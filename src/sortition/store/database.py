"""A database: opened, migrated, and used in transactions."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, insert, make_url, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sortition.errors import StoreError, StoreUnavailable
from sortition.store import postgresql, sqlite
from sortition.store.failures import asks_to_repeat, translate
from sortition.store.installation import NOTIFIES, notify
from sortition.store.migrations import (
    check_revision,
    downgrade,
    is_usable,
    migrate,
    oldest_compatible,
    stored_revision,
)
from sortition.store.schema import installation

if TYPE_CHECKING:
    from sortition.store.deadline import DeadlineConnection
    from sortition.store.listener import ChangeListener

__all__ = ["Database"]

KEY_BYTES = 32
T = TypeVar("T")
_TRIAL = "sortition_trial"
# How often a transaction that made room for others is run, and how long is waited the first time.
_ATTEMPTS = 8
_FIRST_PAUSE_S = 0.01


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
        self._alone: Callable[[], DeadlineConnection] | None = None
        self._revision = ""
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
    def downgrade(cls, url: str, revision: str, *, timeout_s: float = 10) -> None:
        """Takes the schema back to an older one, for a version that does not know this one; no sidecar may run.

        Args:
            url: As of `open`.
            revision: The schema to go back to, such as "0001".
            timeout_s: How long a lock or a connection is waited for.

        Raises:
            StoreError: It cannot be taken back to that, or cannot be used.
            StoreUnavailable: It is locked, or the server cannot be reached.
        """
        db = cls._connect(url, False, timeout_s)
        try:
            with db._begin() as tx:
                db._lock_out_migrations(tx)
                downgrade(tx, revision, db.name)
        finally:
            db.close()

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
            db = cls("postgresql", parsed.render_as_string(), *postgresql.connect(parsed, timeout_s))
            db._alone = partial(postgresql.open_alone, parsed, timeout_s)
            return db
        raise StoreError(f"the database URL begins with {scheme!r}; use sqlite:///path or postgresql://host/name")

    def _prepare(self) -> None:
        with self.read() as tx:
            usable = is_usable(tx, self.name)
        if not usable:
            with self._begin() as tx:
                self._lock_out_migrations(tx)
                # Another sidecar may have migrated while this one waited for the lock.
                if not is_usable(tx, self.name):
                    migrate(tx)
                if tx.execute(select(installation.c.id)).first() is None:
                    row = {"id": 1, "key": secrets.token_bytes(KEY_BYTES), "revision": 0}
                    row["compatible_down_to"] = oldest_compatible()
                    tx.execute(insert(installation), {**row, "created_at": datetime.now(timezone.utc)})
        with self.read() as tx:
            self._revision = stored_revision(tx) or ""
            key: bytes | None = tx.execute(select(installation.c.key)).scalar_one_or_none()
        if key is None or len(key) != KEY_BYTES:
            raise StoreError(f"{self.name}: the installation's key is gone; restore a copy of the database")
        self.installation_key = key
        if self._alone is not None and self._can_notify():
            self._writing = self._writing.execution_options(**{NOTIFIES: True})

    def _can_notify(self) -> bool:
        # Not everything that speaks PostgreSQL's protocol can. Told where nobody listens: nothing has changed.
        try:
            with self.write() as tx:
                notify(tx, 0, _TRIAL)
        except StoreError:
            return False
        return True

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
            StoreError: The database cannot be used, or a newer version migrated it to what this one cannot use.
            InternalError: A constraint refused a row that should not have been written.
        """
        with self._begin() as tx:
            # Others may migrate at any time; what they know and this version does not must not be written over.
            self._revision = check_revision(tx, self._revision, self.name)
            yield tx

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            with self._writing.begin() as tx:
                yield tx
        except SQLAlchemyError as error:
            raise translate(error, self.name) from error

    def run(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction of `write`, and again while the database asks for that.

        Serialization failures and deadlocks are how some databases keep order, distributed ones most of all.

        Args:
            work: Changes nothing but through the transaction it is given; may run several times.

        Raises:
            StoreUnavailable: As of `write`; also when it had to make room for others eight times in a row.
            StoreError: As of `write`.
        """
        failures = 0
        while True:
            try:
                with self.write() as tx:
                    result = work(tx)
                return result
            except StoreUnavailable as error:
                failures += 1
                if failures == _ATTEMPTS or not asks_to_repeat(error):
                    raise
                time.sleep(random.uniform(0.5, 1) * _FIRST_PAUSE_S * 2**failures)

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

    def listen(self, heard: Callable[[], None]) -> ChangeListener | None:
        """Has a function called whenever somebody changed what is answered; None where the database tells nobody.

        Args:
            heard: Called by a thread of the listener, also when nothing may have changed.
        """
        if self._alone is None:
            return None
        from sortition.store.listener import ChangeListener

        return ChangeListener(self._alone, heard)

    def close(self) -> None:
        """Closes its connections."""
        self._reading.dispose()
        self._writing.dispose()
