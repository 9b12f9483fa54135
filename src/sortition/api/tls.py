"""Certificates that are read again when their files change."""

from __future__ import annotations

import os
import ssl
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import structlog

from sortition.errors import SettingsError

__all__ = ["Certificates"]

_log = structlog.get_logger("sortition.api.tls")

_Signature: TypeAlias = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Certificates:
    """Where the certificates of a server are.

    Attributes:
        certificate: The server's certificate, those that signed it behind it; PEM.
        key: Its private key; PEM, without a passphrase, closed to other users.
        client_ca: The certificates that sign those of clients, who then have to show one; None to let clients without.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Returns what a server needs to speak TLS 1.2 or later, and nothing else.

        Each new connection gets the certificates that are in the files by then; when those cannot be used, it gets the
        former ones, and the log says why.

        Raises:
            SettingsError: The certificates cannot be used.
        """
        source = _Source(self)
        # None from it means the former certificates, whatever the types say.
        fetch: Any = source.fetch
        return grpc.dynamic_ssl_server_credentials(
            source.current, fetch, require_client_authentication=self.client_ca is not None
        )

    def pem(self) -> tuple[bytes, bytes, bytes | None]:
        """Reads the files; returns certificate, key, and what signs certificates of clients.

        Raises:
            SettingsError: They cannot be read or used, or the key does not belong to the certificate.
        """
        self.load()
        contents = self._read()
        return contents["tls_certificate"], contents["tls_key"], contents.get("tls_client_ca")

    @property
    def _files(self) -> dict[str, Path]:
        files = {"tls_certificate": self.certificate, "tls_key": self.key}
        return files if self.client_ca is None else {**files, "tls_client_ca": self.client_ca}

    def load(self) -> grpc.ServerCertificateConfiguration:
        """Reads the files.

        Raises:
            SettingsError: They cannot be read or used, or the key does not belong to the certificate.
        """
        before = self._read()
        self._check()
        # The check read the files by itself; what is used is what was checked.
        if self._read() != before:
            raise _wrong("tls_certificate", self.certificate, "changed while it was read; it is read once more")
        pairs = [(before["tls_key"], before["tls_certificate"])]
        return grpc.ssl_server_certificate_configuration(pairs, root_certificates=before.get("tls_client_ca"))

    def signature(self) -> _Signature | None:
        """Returns what changes whenever one of the files does; None when one cannot be seen."""
        try:
            found = [os.stat(path) for path in self._files.values()]
        except OSError:
            return None
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def _read(self) -> dict[str, bytes]:
        contents = {}
        for name, path in self._files.items():
            try:
                contents[name] = path.read_bytes()
                mode = stat.S_IMODE(path.stat().st_mode)
            except OSError as error:
                raise _wrong(name, path, f"cannot be read ({error.strerror})") from error
            if name == "tls_key" and mode & 0o027:
                raise _wrong(name, path, f"is open to others (mode {mode:04o}); chmod 600 {path}")
        return contents

    def _check(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Asked for a passphrase, a server has none; without this it would ask a terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            text = (
                f"and tls_key {self.key} are no certificate with its key, or the key has a passphrase ({_why(error)})"
            )
            raise _wrong("tls_certificate", self.certificate, text) from error
        if self.client_ca is None:
            return
        try:
            context.load_verify_locations(self.client_ca)
        except (OSError, ValueError) as error:
            raise _wrong("tls_client_ca", self.client_ca, f"holds no certificates ({_why(error)})") from error


class _Source:
    """The certificates in use."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._lock = threading.Lock()
        # Before reading: what changes in between is read once more.
        self._signature = certificates.signature()
        self.current = certificates.load()

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns the certificates for the next connection; None for those of the last one. Never raises."""
        with self._lock:
            signature = self._certificates.signature()
            if signature == self._signature:
                return None
            # Even if it cannot be used: it is not read again, and not told again, before it changes again.
            self._signature = signature
            try:
                self.current = self._certificates.load()
            except SettingsError as error:
                _log.error("certificate not loaded, the former one stays", error=error.message)
                return None
        _log.info("certificate loaded", path=str(self._certificates.certificate))
        return self.current


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__


def _wrong(name: str, path: Path, problem: str) -> SettingsError:
    return SettingsError(f"{name}: {path} {problem}", [(name, f"{path} {problem}")])
