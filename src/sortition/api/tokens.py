"""Tokens: how they are made, and the file in which their hashes are kept.

A token is ``sortition_<id>_<secret>``. The file holds the id, which is no secret, and the SHA-256 of the whole: enough
to recognize it, of no use to whoever reads the file. A slow hash would add nothing, for the secret is 256 random bits
and no password; it would only cost the hot path.

The file is in the state directory and not in the database: a sidecar goes on to know its callers while the database is
away, the first token can be made without one, and whoever may write the file could do everything anyway. A fleet is
given one file, as it is given its certificates.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from sortition.api.roles import Role
from sortition.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    SettingsError,
)
from sortition.files import replace_file

__all__ = ["MAX_TOKENS", "Token", "create_token", "read_tokens", "revoke_token", "token_id"]

MAX_TOKENS: Final = 1000
"""How many tokens a file may hold."""

_PREFIX: Final = "sortition_"
_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
_ID_END: Final = len(_PREFIX) + 2 * _ID_BYTES
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID: Final = re.compile(rf"[0-9a-f]{{{2 * _ID_BYTES}}}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_FIELDS: Final = {"id", "name", "role", "sha256", "created_at", "expires_at"}
# A thousand tokens are a quarter of this.
_MAX_FILE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Token:
    """What is kept of a token.

    Attributes:
        id: Tells it from the others; no secret.
        name: Whose it is; this name is in the audit log.
        role: What it may do.
        digest: The SHA-256 of the whole token.
        created_at: When it was made; aware, in UTC.
        expires_at: From when on it is refused; None for never.
    """

    id: str
    name: str
    role: Role
    digest: bytes
    created_at: datetime
    expires_at: datetime | None = None

    def matches(self, text: str) -> bool:
        """Returns whether `text` is this token, in a time that does not tell how much of it was right."""
        return hmac.compare_digest(hashlib.sha256(text.encode("utf-8", "replace")).digest(), self.digest)


def token_id(text: str) -> str:
    """Returns the id in a token; one that no token has when `text` is none."""
    return text[len(_PREFIX) : _ID_END]


def create_token(
    path: Path, name: str, role: Role, *, now: datetime | None = None, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """Makes a token and adds it to the file, which is made with mode 0600 where it is missing.

    Args:
        path: The file.
        name: Whose it is: letters, digits, ".", "_" and "-", at most 64.
        role: What it may do.
        now: The time; the clock's when None.
        expires_at: From when on it is refused; never when None.

    Returns:
        What is kept of it, and the token itself, which is kept nowhere.

    Raises:
        InvalidArgument: The name cannot be one, or it would have expired already.
        AlreadyExists: The name is taken.
        ResourceExhausted: The file is full.
        SettingsError: The file cannot be used.
    """
    now = now or datetime.now(timezone.utc)
    if not _NAME.fullmatch(name):
        text = f"is {name[:80]!r}; it must be 1 to 64 letters, digits, '.', '_' or '-', and begin with one of the first"
        raise InvalidArgument.of([("name", text)])
    if expires_at is not None and expires_at <= now:
        raise InvalidArgument.of([("expires", f"{expires_at.isoformat()} has passed; name a time to come")])
    with _changing(path) as tokens:
        if any(token.name == name for token in tokens):
            raise AlreadyExists(f"token {name!r} exists; revoke it first, or choose another name", [("name", name)])
        if len(tokens) >= MAX_TOKENS:
            raise ResourceExhausted(f"tokens: {path} holds {len(tokens)}, which is the limit; revoke some")
        identity = secrets.token_hex(_ID_BYTES)
        text = f"{_PREFIX}{identity}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        token = Token(identity, name, role, hashlib.sha256(text.encode()).digest(), now, expires_at)
        tokens.append(token)
    return token, text


def revoke_token(path: Path, name: str) -> Token:
    """Removes a token from the file; running sidecars refuse it within two seconds.

    Raises:
        NotFound: There is none of that name.
        SettingsError: The file cannot be used.
    """
    with _changing(path) as tokens:
        for index, token in enumerate(tokens):
            if token.name == name:
                return tokens.pop(index)
        raise NotFound(f"token {name!r} is not in {path}; see `sortition token list`", [("name", name)])


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Returns what the file holds.

    Raises:
        SettingsError: It is missing, damaged, or may be written by others than its owner.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror}); see `sortition token create`") from error
    # Who may write it may let anybody in. To read it is harmless, and where it is mounted it cannot be helped.
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise _unusable(path, f"may be written by others (mode {stat.S_IMODE(status.st_mode):04o}); chmod 600 {path}")
    if status.st_uid not in (0, os.geteuid()):
        raise _unusable(path, f"belongs to another user (uid {status.st_uid}); chown it to the sidecar's")
    try:
        if len(raw) > _MAX_FILE_BYTES:
            raise ValueError(f"it has more than {_MAX_FILE_BYTES:,} bytes")
        entries = json.loads(raw)["tokens"]
        if len(entries) > MAX_TOKENS:
            raise ValueError(f"it holds {len(entries)} tokens; the limit is {MAX_TOKENS}")
        tokens = tuple(map(_from_json, entries))
        if len({token.id for token in tokens}) < len(tokens) or len({token.name for token in tokens}) < len(tokens):
            raise ValueError("two of its tokens have the same id or name")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise _unusable(path, f"is damaged ({why[:200]}); restore it, or remove it and make new tokens") from None
    return tokens


def _unusable(path: Path, problem: str) -> SettingsError:
    return SettingsError(f"tokens_file: {path} {problem}", [("tokens_file", f"{path} {problem}")])


def _from_json(entry: Mapping[str, Any]) -> Token:
    if set(entry) != _FIELDS:
        raise ValueError(f"a token has the fields {', '.join(sorted(map(str, entry)))[:100]}")
    texts = (entry["id"], entry["name"], entry["sha256"])
    if not all(pattern.fullmatch(text) for pattern, text in zip((_ID, _NAME, _DIGEST), texts, strict=True)):
        raise ValueError("a token has an id, a name or a hash that can be none")
    expires_at = entry["expires_at"]
    return Token(
        entry["id"],
        entry["name"],
        Role(entry["role"]),
        bytes.fromhex(entry["sha256"]),
        _time(entry["created_at"]),
        None if expires_at is None else _time(expires_at),
    )


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text[:40]!r} has no zone")
    return time


def _to_json(token: Token) -> dict[str, str | None]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "sha256": token.digest.hex(),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }


@contextmanager
def _changing(path: Path) -> Iterator[list[Token]]:
    """Yields what the file holds, and stores what has become of it unless the block raises; one process at a time."""
    with _usable(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        tokens = list(read_tokens(path)) if path.exists() else []
        yield tokens
        content = json.dumps({"tokens": [_to_json(token) for token in tokens]}, indent=1).encode() + b"\n"
        with _usable(path):
            replace_file(path, content)
    finally:
        os.close(directory)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unusable(path, f"cannot be written ({error.strerror})") from error
