"""The state directory: used by one sidecar at a time, and readable by its user only."""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from pathlib import Path
from typing import BinaryIO

from sortition import locations
from sortition.errors import FailedPrecondition, SettingsError

__all__ = ["StateDirectory"]

_WRITER_BYTES = 8
_MAX_WRITER_BYTES = 128


class StateDirectory:
    """A locked state directory.

    ::

        lock               held while a sidecar runs; holds its process id
        writer             the name under which it writes
        installation.key   a copy of the database's key for hashing unit ids, to serve without the database
        snapshot           the last good snapshot, for the same
        sortition.db       the database, unless another is configured
        endpoint           the address of the running sidecar
    """

    def __init__(self, path: Path) -> None:
        """Makes the directory, with mode 0700, where it is missing, and locks it.

        Raises:
            SettingsError: It cannot be made or written.
            FailedPrecondition: Another process has locked it.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._acquire(path / "lock")
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

    @property
    def database(self) -> Path:
        """The database, unless another is configured."""
        return self.path / "sortition.db"

    @property
    def snapshot(self) -> Path:
        """The last good snapshot."""
        return self.path / "snapshot"

    def writer_name(self) -> str:
        """Returns the name kept here, a new random one the first time: two sidecars on one database never share one."""
        path = self.path / "writer"
        try:
            kept = path.read_bytes()[: _MAX_WRITER_BYTES + 1].decode().strip()
        except (FileNotFoundError, UnicodeDecodeError):
            kept = ""
        if kept and len(kept) <= _MAX_WRITER_BYTES:
            return kept
        name = f"sidecar-{secrets.token_hex(_WRITER_BYTES)}"
        _write(path, f"{name}\n".encode())
        return name

    def kept_key(self) -> bytes | None:
        """Returns the copy of the installation's key; None when there is none."""
        try:
            return (self.path / "installation.key").read_bytes() or None
        except FileNotFoundError:
            return None

    def keep_key(self, key: bytes) -> None:
        """Keeps a copy of the installation's key."""
        if self.kept_key() != key:
            _write(self.path / "installation.key", key)

    def announce(self, address: str) -> None:
        """Writes where the sidecar listens, for clients on this machine."""
        _write(locations.endpoint_file(self.path), f"{address}\n".encode())

    def withdraw(self) -> None:
        """Removes what `announce` wrote."""
        locations.endpoint_file(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Unlocks the directory."""
        self._lock.close()


def _write(path: Path, content: bytes) -> None:
    """Replaces a file at once: whoever reads it sees the old or the new content, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
