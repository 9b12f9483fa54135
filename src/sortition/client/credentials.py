"""What a client proves itself with, and what it wants proven: token and TLS."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc

from sortition.errors import SettingsError

__all__ = ["Credentials", "Metadata", "is_local"]

Metadata: TypeAlias = tuple[tuple[str, str], ...]
PathLike: TypeAlias = "str | os.PathLike[str]"

# Enough for any token and for any bundle of certificates.
_MAX_TOKEN_BYTES: Final = 4096
_MAX_PEM_BYTES: Final = 4 << 20
_ENVIRONMENT: Final = {
    "token": "SORTITION_TOKEN",
    "token_file": "SORTITION_TOKEN_FILE",
    "tls_ca": "SORTITION_TLS_CA",
    "tls_certificate": "SORTITION_TLS_CLIENT_CERTIFICATE",
    "tls_key": "SORTITION_TLS_CLIENT_KEY",
    "tls_server_name": "SORTITION_TLS_SERVER_NAME",
}


@dataclass(frozen=True)
class Credentials:
    """A client's token and its side of TLS. What was not given comes from the environment.

    Attributes:
        token: The token itself. Never shown.
        token_file: A file that holds it, read again for each connection; weaker than `token`.
        tls_ca: The certificates that sign the sidecar's; with it TLS is spoken, and nothing else.
        tls_certificate: This client's certificate, for sidecars that ask for one.
        tls_key: Its private key.
        tls_server_name: The name in the sidecar's certificate, where it is not the one of the target.
    """

    token: str | None = field(default=None, repr=False)
    token_file: PathLike | None = None
    tls_ca: PathLike | None = None
    tls_certificate: PathLike | None = None
    tls_key: PathLike | None = None
    tls_server_name: str | None = None

    @property
    def tls(self) -> bool:
        """Whether TLS is spoken, and nothing else."""
        return bool(self._given("tls_ca"))

    def metadata(self, target: str) -> Metadata:
        """Returns what every call to `target` carries.

        Raises:
            SettingsError: The token cannot be read or is none, or would travel where others can read it.
        """
        token = self._token()
        if not token:
            return ()
        if not self._given("tls_ca") and not is_local(target):
            text = f"is sent to {target} with TLS only; set tls_ca ({_ENVIRONMENT['tls_ca']})"
            raise SettingsError(f"token: {text}", [("token", text)])
        return (("authorization", f"Bearer {token}"),)

    def channel(
        self,
        target: str,
        options: tuple[tuple[str, Any], ...],
        *,
        insecure: Callable[..., Any],
        secure: Callable[..., Any],
    ) -> Any:
        """Opens a channel: with TLS when a certificate was given, never without it then.

        Args:
            target: The sidecar's address.
            options: Options of the channel.
            insecure: Opens one without TLS, such as `grpc.insecure_channel`.
            secure: Opens one with TLS, such as `grpc.secure_channel`.

        Raises:
            SettingsError: A file cannot be read, or one that is needed was not given.
        """
        authority, certificate, key = (self._given(name) for name in ("tls_ca", "tls_certificate", "tls_key"))
        if not authority:
            if certificate or key:
                text = (
                    f"is required with a client certificate; name what signs the sidecar's ({_ENVIRONMENT['tls_ca']})"
                )
                raise SettingsError(f"tls_ca: {text}", [("tls_ca", text)])
            return insecure(target, options=options)
        if bool(certificate) != bool(key):
            text = "goes with tls_certificate; give both, or neither"
            raise SettingsError(f"tls_key: {text}", [("tls_key", text)])
        name = self._given("tls_server_name")
        if name:
            options = (*options, ("grpc.ssl_target_name_override", name))
        credentials = grpc.ssl_channel_credentials(
            root_certificates=_read("tls_ca", authority, _MAX_PEM_BYTES),
            private_key=_read("tls_key", key, _MAX_PEM_BYTES) if key else None,
            certificate_chain=_read("tls_certificate", certificate, _MAX_PEM_BYTES) if certificate else None,
        )
        return secure(target, credentials, options=options)

    def _given(self, name: str) -> str:
        value: PathLike | None = getattr(self, name)
        return os.fspath(value) if value is not None else os.environ.get(_ENVIRONMENT[name], "")

    def _token(self) -> str:
        # A file that was named is meant, whatever the environment says.
        token = "" if self.token is None and self.token_file is not None else self._given("token")
        path = self._given("token_file")
        if not token and path:
            try:
                token = _read("token_file", path, _MAX_TOKEN_BYTES).decode("ascii").strip()
            except UnicodeDecodeError:
                raise _unusable("token_file", path, "holds no token") from None
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            # Not shown: it may be a token with something before or behind it.
            raise SettingsError("token: is none; a token is one word", [("token", "is none; a token is one word")])
        return token


def _read(name: str, path: str, limit: int) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise _unusable(name, path, f"cannot be read ({error.strerror})") from error
    if not content.strip() or len(content) > limit:
        raise _unusable(name, path, f"has {len(content):,} bytes or more; it must have 1 to {limit:,}")
    return content


def _unusable(name: str, path: str, problem: str) -> SettingsError:
    text = f"{path} {problem}"
    return SettingsError(f"{name}: {text}", [(name, text)])


def is_local(target: str) -> bool:
    """Returns whether only this machine sees what is sent to `target`."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    host = target.rpartition("/")[2].rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
