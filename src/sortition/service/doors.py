"""Who may come in: the certificates and tokens of a sidecar, and the journal of those who were turned away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import grpc

from sortition.api.backend import BackendSource
from sortition.api.denials import Denials
from sortition.api.guard import Guard
from sortition.api.keyring import Keyring
from sortition.api.tls import Certificates
from sortition.service.journal import Journal
from sortition.settings import Settings

__all__ = ["Doors"]


class Doors:
    """What stands between callers and a sidecar; nothing at all where neither TLS nor tokens are in use.

    Attributes:
        guard: What asks each call for its token; None where tokens are not in use.
        keyring: The tokens in force; None where tokens are not in use.
        certificates: Where the certificates are; None where TLS is not spoken.
        credentials: What TLS is spoken with; None for none.
        denials: Counts denied calls.
    """

    def __init__(self, settings: Settings, backend: BackendSource, now: Callable[[], datetime]) -> None:
        """Reads certificates and tokens.

        Args:
            settings: Where they are.
            backend: Where denied calls are written.
            now: The clock; aware, in UTC.

        Raises:
            SettingsError: They cannot be used.
        """
        self.denials = Denials()
        self.guard: Guard | None = None
        self.certificates: Certificates | None = None
        self.credentials: grpc.ServerCredentials | None = None
        self.keyring: Keyring | None = None
        self._journal: Journal | None = None
        if settings.tls_certificate is not None and settings.tls_key is not None:
            self.certificates = Certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
            self.credentials = self.certificates.credentials()
        # Asked once: whether tokens are needed does not change while it runs, whatever becomes of the file.
        path = settings.tokens
        if path is not None:
            self.keyring = Keyring(path)
            self.guard = Guard(self.keyring, self.denials)
            self._journal = Journal(self.denials, backend, now=now, tokens_file=path)

    def start(self) -> None:
        """Begins to watch the file of tokens, and to write down who was turned away."""
        if self.keyring is not None and self._journal is not None and self.guard is not None:
            self._journal.start()
            self.keyring.start(self._journal.tokens_changed, self.guard.sweep)

    def stop(self) -> None:
        """Ends both. The server has to be stopped before, and the database closed behind it."""
        if self.keyring is not None and self._journal is not None:
            self.keyring.stop()
            self._journal.stop()
