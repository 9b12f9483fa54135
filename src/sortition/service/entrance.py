"""Who may come in: the certificates and tokens of a sidecar, and the count of those who were turned away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sortition.api.denials import Denials
from sortition.settings import Settings

if TYPE_CHECKING:
    from sortition.api.keyring import Keyring
    from sortition.api.tls import Certificates

__all__ = ["Entrance"]


@dataclass(frozen=True)
class Entrance:
    """What is asked of callers; nothing at all where neither TLS nor tokens are in use.

    Attributes:
        certificates: Where the certificates are; None where TLS is not spoken.
        keyring: The tokens in force; None where tokens are not in use.
        denials: Counts denied calls.
    """

    certificates: Certificates | None = None
    keyring: Keyring | None = None
    denials: Denials = field(default_factory=Denials)

    @classmethod
    def open(cls, settings: Settings) -> Entrance:
        """Reads the tokens.

        Args:
            settings: Where they and the certificates are.

        Raises:
            SettingsError: They cannot be used.
        """
        certificates, keyring = None, None
        # Only what is in use is imported: a start does not wait for the rest.
        if settings.tls_certificate is not None and settings.tls_key is not None:
            from sortition.api.tls import Certificates

            certificates = Certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
        # Asked once: whether tokens are needed does not change while it runs, whatever becomes of the file.
        path = settings.tokens
        if path is not None:
            from sortition.api.keyring import Keyring

            keyring = Keyring(path)
        return cls(certificates, keyring)
