"""Tokens and certificates for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import trustme

from sidecars import Stubs
from sortition import locations
from sortition.api.roles import Role
from sortition.api.tokens import create_token

NEVER = "sortition_0123456789abcdef_" + "A" * 43
"""What looks like a token and is none."""


class Tokens(NamedTuple):
    """One token of each kind, in a state directory."""

    path: Path
    agent: str
    admin: str
    expired: str
    doomed: str
    """An agent's; its name is "doomed", for those who revoke it."""


def make_tokens(state: Path) -> Tokens:
    """Makes the file of tokens of a state directory."""
    path = locations.tokens_file(state)
    past = datetime.now(timezone.utc) - timedelta(days=1)
    _, agent = create_token(path, "searcher", Role.AGENT)
    _, admin = create_token(path, "ada-laptop", Role.ADMIN)
    _, expired = create_token(path, "yesterday", Role.ADMIN, now=past, expires_at=past + timedelta(hours=1))
    _, doomed = create_token(path, "doomed", Role.AGENT)
    return Tokens(path, agent, admin, expired, doomed)


def bearer(token: str | None) -> tuple[tuple[str, str], ...]:
    """Returns the metadata that carries a token."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


# Its stubs say that it is generic, which at run time it is not.
_Base: Any = grpc.UnaryUnaryClientInterceptor


class _Sends(_Base):  # type: ignore[misc]
    def __init__(self, token: str) -> None:
        self._metadata = bearer(token)

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(metadata=self._metadata), request)


def stubs_with(channel: grpc.Channel, token: str) -> Stubs:
    """Returns clients of every service whose unary calls carry a token."""
    return Stubs(grpc.intercept_channel(channel, _Sends(token)))


class Certificate(NamedTuple):
    """The files of a certificate, its key, and what signed it."""

    certificate: Path
    key: Path
    authority: Path


def make_certificate(directory: Path, authority: trustme.CA, *names: str) -> Certificate:
    """Writes a certificate for `names`, in place of an earlier one."""
    directory.mkdir(exist_ok=True)
    made = Certificate(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")
    issued = authority.issue_cert(*(names or ("localhost", "127.0.0.1")))
    contents = {
        made.authority: authority.cert_pem.bytes(),
        made.key: issued.private_key_pem.bytes(),
        made.certificate: b"".join(blob.bytes() for blob in issued.cert_chain_pems),
    }
    for path, content in contents.items():
        replace(path, content)
    return made


def replace(path: Path, content: bytes) -> None:
    """Writes a file that only its owner reads, in the place of an earlier one."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)


@contextmanager
def secured(address: str, trust: Path, client: Certificate | None = None) -> Iterator[grpc.Channel]:
    """Connects with TLS."""
    credentials = grpc.ssl_channel_credentials(
        trust.read_bytes(),
        client.key.read_bytes() if client else None,
        client.certificate.read_bytes() if client else None,
    )
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(address, credentials, options=options) as channel:
        yield channel
