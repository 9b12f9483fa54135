"""The state directory: used by one sidecar at a time, and readable by its user only."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from sortition import locations
from sortition.core import file_identity
from sortition.errors import FailedPrecondition, SettingsError, StoreUnavailable
from sortition.files import replace_file
from sortition.state.identity import MAX_NAME, Identity, base_name

__all__ = ["StateDirectory"]

_WRITER_BYTES = 8
_OWNER_BYTES = 16
_MAX_WRITER_FILE = 1024
_IDENTITY_BYTES = 16


class StateDirectory:
    """A locked state directory.

    ::

        lock               held while a sidecar runs; holds its process id
        writer             the name under which it writes, the directory's own id, the epoch of the name, the last batch
        installation.key   a copy of the database's key for hashing unit ids, to serve without the database
        database           where that database is, as a keyed hash, to serve before it is opened
        snapshot           the last good snapshot, for the same
        alerts             what this sidecar alerts of itself: what is open, and what is still to be said
        held               what this sidecar has paused by itself, until everybody knows of it
        units              who was exposed before the weights of running experiments changed, under keyed hashes
        sortition.db       the database, unless another is configured
        endpoint           the address of the running sidecar
        endpoint.lane      the address of its native lane
        lane.sock          the native lane, unless it is told to listen elsewhere
        tokens             the hashes of the tokens, where there are any
        log                what was acknowledged and is not in the database yet
        identity           the id of this directory, and what tells it from every copy
    """

    def __init__(self, path: Path) -> None:
        """Makes the directory, with mode 0700, where it is missing, and locks it.

        Raises:
            SettingsError: It cannot be made or written.
            FailedPrecondition: Another process has locked it, or it is a copy of one.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._acquire(path / "lock")
            try:
                self.identity = self._identify()
            except BaseException:
                self._lock.close()
                raise
        except OSError as error:
            text = f"{path} cannot be used ({error.strerror}); name a directory that this user may write"
            raise SettingsError(f"state_dir: {text}", [("state_dir", text)]) from error

    def _acquire(self, path: Path) -> BinaryIO:
        lock: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = lock.read(20).decode("ascii", "replace").strip() or "unknown"
            lock.close()
            raise FailedPrecondition(
                f"state_dir: {self.path} is in use by another sidecar (process {owner}); stop it, or choose another"
                " state_dir"
            ) from None
        lock.truncate()
        lock.write(f"{os.getpid()}\n".encode())
        lock.flush()
        return lock

    def _identify(self) -> bytes:
        """Returns the id of this directory, 16 bytes; made the first time.

        A copy holds the same outcomes and the same name as its original, and both would be stored. What a copy cannot
        have is the very file that is locked here.
        """
        path, place = self.path / "identity", file_identity(self.path / "lock")
        try:
            kept, known, *_ = [*path.read_text("ascii").split("\n"), ""]
            identity = bytes.fromhex(kept)
        except FileNotFoundError:
            identity = secrets.token_bytes(_IDENTITY_BYTES)
            replace_file(path, f"{identity.hex()}\n{place}\n".encode())
            return identity
        except ValueError:
            identity, known = b"", ""
        if len(identity) != _IDENTITY_BYTES:
            raise FailedPrecondition(f"state_dir: {path} is damaged; restore it, or use a new state_dir")
        if known != place:
            raise FailedPrecondition(
                f"state_dir: {self.path} is a copy of another state directory, and what both hold would be stored"
                " twice; use a new one. If it was moved or restored, and the original is never used again, say so with"
                f" `sortition log adopt --state-dir {self.path}`"
            )
        return identity

    @classmethod
    def adopt(cls, path: Path) -> None:
        """Makes a copy the one that counts: its original must never be used again.

        Raises:
            SettingsError: It cannot be written.
            FailedPrecondition: It is in use, or no state directory.
        """
        kept = path / "identity"
        if not kept.is_file():
            raise FailedPrecondition(f"state_dir: {path} is no state directory that a sidecar has used")
        state = cls.__new__(cls)
        state.path = path
        try:
            with state._acquire(path / "lock"):
                identity = kept.read_text("ascii").split("\n")[0]
                replace_file(kept, f"{identity}\n{file_identity(path / 'lock')}\n".encode())
        except OSError as error:
            text = f"{path} cannot be used ({error.strerror}); name a directory that this user may write"
            raise SettingsError(f"state_dir: {text}", [("state_dir", text)]) from error

    @property
    def log(self) -> Path:
        """The logs of outcomes, one for each database."""
        return locations.log_dir(self.path)

    @property
    def database(self) -> Path:
        """The database, unless another is configured."""
        return locations.database_file(self.path)

    @property
    def snapshot(self) -> Path:
        """The last good snapshot."""
        return self.path / "snapshot"

    @property
    def held(self) -> Path:
        """What this sidecar has paused by itself."""
        return self.path / "held"

    @property
    def units(self) -> Path:
        """Who was exposed before the weights of running experiments changed."""
        return self.path / "units"

    @property
    def alerts(self) -> Path:
        """What this sidecar alerts of itself."""
        return self.path / "alerts"

    def writer(self, configured: str | None) -> Identity:
        """Returns who writes from here, and what it remembers of earlier runs.

        Without a name given, it has a random one, made the first time: two sidecars on one database never share one.

        Args:
            configured: The name it was given in the settings.
        """
        kept = self._kept_writer()
        # Under the name it was given, or the one it took when another sidecar was given the same.
        if kept and configured in (None, base_name(kept.name)):
            return kept
        name = configured or f"sidecar-{secrets.token_hex(_WRITER_BYTES)}"
        found = Identity(name, kept.owner if kept else secrets.token_hex(_OWNER_BYTES))
        self.keep_writer(found)
        return found

    def keep_writer(self, who: Identity) -> None:
        """Keeps who writes from here.

        Raises:
            StoreUnavailable: It cannot be written down now.
        """
        try:
            replace_file(self.path / "writer", f"{who.name}\n{who.owner}\n{who.epoch}\n{who.batch}\n".encode())
        except OSError as error:
            raise StoreUnavailable(
                f"state_dir: {self.path / 'writer'} cannot be written ({error.strerror}); make room, or give this user"
                " the right to"
            ) from error

    def _kept_writer(self) -> Identity | None:
        try:
            lines = (self.path / "writer").read_bytes()[:_MAX_WRITER_FILE].decode().split("\n")
            name, owner, epoch, batch, *_ = [*lines, "", "", ""]
            if not 0 < len(name) <= MAX_NAME or len(owner) > 64:
                return None
            # Earlier versions kept the name alone.
            return Identity(name, owner or secrets.token_hex(_OWNER_BYTES), int(epoch or 0), int(batch or 0))
        except (FileNotFoundError, UnicodeDecodeError, ValueError):
            return None

    def kept_key(self) -> bytes | None:
        """Returns the copy of the installation's key; None when there is none."""
        try:
            return (self.path / "installation.key").read_bytes() or None
        except FileNotFoundError:
            return None

    def kept_key_of(self, database_url: str | None) -> bytes | None:
        """Returns the copy of the installation's key, if it is the key of a database that was at this address."""
        key = self.kept_key()
        try:
            known = (self.path / "database").read_bytes()
        except FileNotFoundError:
            return None
        return key if key is not None and known == _address(key, database_url) else None

    def keep_key(self, key: bytes, database_url: str | None) -> None:
        """Keeps a copy of the installation's key, and of which database it is; as the settings name it."""
        if self.kept_key() != key:
            replace_file(self.path / "installation.key", key)
        if self.kept_key_of(database_url) != key:
            replace_file(self.path / "database", _address(key, database_url))

    def announce_lane(self, lane: str) -> None:
        """Writes where the native lane listens, for clients on this machine, while there is no server yet."""
        locations.endpoint_file(self.path).unlink(missing_ok=True)
        replace_file(locations.lane_file(self.path), f"{lane}\n".encode())

    def announce(self, address: str, lane: str | None = None) -> None:
        """Writes where the sidecar listens, for clients on this machine; and its native lane, where there is one."""
        # The lane first: who finds the sidecar finds it too, and never that of a process before.
        if lane is None:
            locations.lane_file(self.path).unlink(missing_ok=True)
        else:
            replace_file(locations.lane_file(self.path), f"{lane}\n".encode())
        replace_file(locations.endpoint_file(self.path), f"{address}\n".encode())

    def withdraw(self) -> None:
        """Removes what `announce` wrote."""
        locations.endpoint_file(self.path).unlink(missing_ok=True)
        locations.lane_file(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Unlocks the directory."""
        self._lock.close()


def _address(key: bytes, database_url: str | None) -> bytes:
    """Returns what tells addresses of databases apart, and holds none: there may be a password in it."""
    return hmac.new(key, (database_url or "").encode(), hashlib.sha256).hexdigest().encode()
