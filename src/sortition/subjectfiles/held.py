"""What a subject's configuration says about its file.

::

    {"file": {"path": "agent.yaml", "sha256": "9f86…", "base": "2c26…"}, "content": "model: …", "values": {"model": …}}

`content` is what agents use, or `values` where treatments are overrides. `base` is the SHA-256 of the file that a
treatment was made of. A variant says only what is its own, as any variant does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sortition.errors import DataLoss
from sortition.model.canonical import JsonObject
from sortition.subjectfiles.place import digest

__all__ = ["HeldFile", "base_config", "changed_values", "held_file", "treatment_config"]

_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class HeldFile:
    """A file as a version of a subject has it.

    Attributes:
        path: Where it is, relative to a root.
        sha256: Of its content.
        content: What it holds.
        base: The SHA-256 of the file that it was made of; empty where it was taken as it was.
    """

    path: str
    sha256: str
    content: str
    base: str = ""


def held_file(config: Mapping[str, Any]) -> HeldFile | None:
    """Returns the file that a configuration holds; None where it holds none.

    Raises:
        DataLoss: The content is not what its hash says.
    """
    about, content = config.get("file"), config.get("content")
    if not isinstance(about, Mapping) or not isinstance(content, str):
        return None
    path, sha256, base = (about.get(name) for name in ("path", "sha256", "base"))
    if not isinstance(path, str) or not isinstance(sha256, str) or not _HASH.fullmatch(sha256):
        return None
    if digest(content.encode("utf-8", "surrogatepass")) != sha256:
        raise DataLoss(f"the content of {path} in the subject's configuration is not what its SHA-256 {sha256} says")
    return HeldFile(path, sha256, content, base if isinstance(base, str) else "")


def base_config(path: str, content: str, values: JsonObject | None) -> JsonObject:
    """Returns the configuration of a subject whose file holds `content`."""
    config: JsonObject = {"file": {"path": path, "sha256": digest(content.encode())}, "content": content}
    return config if values is None else {**config, "values": values}


def treatment_config(content: str, base: str, values: JsonObject | None) -> JsonObject:
    """Returns the configuration of a variant that puts `content` in the place of `base`.

    Args:
        content: What the file would hold.
        base: What it holds now.
        values: The values that differ, in their places; None where the variant is a whole file.
    """
    about: JsonObject = {"sha256": digest(content.encode()), "base": digest(base.encode())}
    config: JsonObject = {"file": about, "content": content}
    return config if values is None else {**config, "values": values}


def changed_values(before: JsonObject, after: JsonObject) -> JsonObject:
    """Returns what, laid over `before`, gives `after`, which has the same keys; lists are replaced whole."""
    changed: JsonObject = {}
    for key, value in after.items():
        old = before[key]
        if isinstance(old, dict) and isinstance(value, dict):
            if inner := changed_values(old, value):
                changed[key] = inner
        elif repr(old) != repr(value):
            changed[key] = value
    return changed
