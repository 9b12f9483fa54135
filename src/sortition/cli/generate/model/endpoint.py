"""Where the model is, and what opens its door."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sortition.errors import InvalidArgument, Violation

__all__ = ["Endpoint", "endpoint_from"]

_URL: Final = "SORTITION_MODEL_URL"
_KEY: Final = "SORTITION_MODEL_KEY"
_KEY_FILE: Final = "SORTITION_MODEL_KEY_FILE"
# The names that OpenAI's own libraries go by.
_USUAL_URL, _USUAL_KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"
_MAX_KEY: Final = 8192


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of chat completions.

    Attributes:
        url: Its base, such as ``http://127.0.0.1:11434/v1``.
        model: The model's name.
        timeout_s: How long one answer may take, attempts and all.
        key: What is sent as the bearer token; never written anywhere. None is sent when empty.
    """

    url: str
    model: str
    timeout_s: float
    key: str = field(default="", repr=False)

    def without_key(self, text: str) -> str:
        """Returns `text` without the key; an endpoint may repeat what it was sent."""
        return text.replace(self.key, "(key)") if self.key else text


def endpoint_from(model: str, timeout_s: float, url: str = "", environment: Mapping[str, str] = os.environ) -> Endpoint:
    """Returns the endpoint that options and environment name.

    Args:
        model: The model's name.
        timeout_s: How long one answer may take.
        url: The base URL; that of the environment when empty.
        environment: The environment: ``SORTITION_MODEL_URL``, and ``SORTITION_MODEL_KEY`` or
            ``SORTITION_MODEL_KEY_FILE``; else ``OPENAI_BASE_URL`` with ``OPENAI_API_KEY``.

    Raises:
        InvalidArgument: There is none, or the key would go over the network in the clear; lists every violation.
    """
    wrong: list[Violation] = []
    # A key goes where it is meant to go: the usual one with the usual URL only.
    own = url or environment.get(_URL, "")
    base = (own or environment.get(_USUAL_URL, "")).rstrip("/")
    key = _own_key(environment, wrong) if own else environment.get(_USUAL_KEY, "").strip()
    if not model.strip() or len(model) > 256 or not model.isprintable():
        wrong.append(Violation("--model", f"must be the name of a model, of 1 to 256 letters, but is {model[:300]!r}"))
    if not base:
        said = f"needs an endpoint: set {_URL} to its base such as http://127.0.0.1:11434/v1, and {_KEY} if it asks"
        wrong.append(Violation("--model", f"{said} for one; or {_USUAL_URL} and {_USUAL_KEY}"))
    else:
        wrong += _url_violations(base, key)
    if not key.isascii() or not key.isprintable() or len(key) > _MAX_KEY:
        wrong.append(Violation(_KEY, f"must be printable ASCII, {_MAX_KEY} letters at most"))
    if wrong:
        raise InvalidArgument.of(wrong)
    return Endpoint(base, model.strip(), timeout_s, key)


def _own_key(environment: Mapping[str, str], wrong: list[Violation]) -> str:
    if key := environment.get(_KEY, "").strip():
        return key
    if not (path := environment.get(_KEY_FILE, "")):
        return ""
    try:
        with Path(path).open("rb") as file:
            return file.read(_MAX_KEY + 2).decode().strip()
    except (OSError, UnicodeDecodeError):
        wrong.append(Violation(_KEY_FILE, f"names {path}, which cannot be read as text"))
        return ""


def _url_violations(base: str, key: str) -> list[Violation]:
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = None, ""
    if parts is None or parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        return [Violation(_URL, "must be a base URL such as https://host/v1, without a query")]
    if parts.username or parts.password:
        return [Violation(_URL, f"must not hold a user or a password; give the key in {_KEY}")]
    if key and parts.scheme == "http" and not _is_here(host):
        return [Violation(_URL, f"is http, and the key would go to {host} in the clear; use https, or no key")]
    return []


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
