"""What keeps the doors of a sidecar's server: the guard of its calls, and the journal of those who were turned away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import grpc

from sortition.api.backend import BackendSource
from sortition.api.guard import Guard
from sortition.service.entrance import Entrance
from sortition.service.journal import Journal

__all__ = ["Doors"]


class Doors:
    """What stands between callers and a sidecar's server; nothing at all where neither TLS nor tokens are in use.

    Attributes:
        entrance: Who may come in.
        guard: What asks each call for its token; None where tokens are not in use.
        credentials: What TLS is spoken with; None for none.
    """

    def __init__(self, entrance: Entrance, backend: BackendSource, now: Callable[[], datetime]) -> None:
        """Reads the certificates.

        Args:
            entrance: Who may come in.
            backend: Where denied calls are written.
            now: The clock; aware, in UTC.

        Raises:
            SettingsError: They cannot be used.
        """
        self.entrance = entrance
        self.guard: Guard | None = None
        self.credentials: grpc.ServerCredentials | None = None
        self._journal: Journal | None = None
        if entrance.certificates is not None:
            self.credentials = entrance.certificates.credentials()
        keyring = entrance.keyring
        if keyring is not None:
            self.guard = Guard(keyring, entrance.denials)
            self._journal = Journal(entrance.denials, backend, now=now, tokens_file=keyring.path)

    def start(self) -> None:
        """Begins to watch the file of tokens, and to write down who was turned away."""
        if self.entrance.keyring is not None and self._journal is not None and self.guard is not None:
            self._journal.start()
            self.entrance.keyring.start(self._journal.tokens_changed, self.guard.sweep)

    def stop(self) -> None:
        """Ends both. The server has to be stopped before, and the database closed behind it."""
        if self.entrance.keyring is not None and self._journal is not None:
            self.entrance.keyring.stop()
            self._journal.stop()
