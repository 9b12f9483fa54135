"""Names and the bounds on what a specification may hold."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

__all__ = [
    "CONFIG_BYTES",
    "DEFAULT_ORGANIZATION",
    "KEY_BYTES",
    "KIND_BYTES",
    "MAX_METRICS",
    "MAX_VARIANTS",
    "TEXT_BYTES",
    "UNIT_BYTES",
    "Key",
    "Kind",
    "Text",
    "VariantName",
]

DEFAULT_ORGANIZATION: Final = "default"
KEY_BYTES: Final = 128
KIND_BYTES: Final = 64
UNIT_BYTES: Final = 512
TEXT_BYTES: Final = 8192
MAX_VARIANTS: Final = 64
MAX_METRICS: Final = 64
CONFIG_BYTES: Final = 256 * 1024

_KEY = re.compile(r"[a-z0-9._-]+")
_VARIANT = re.compile(r"[A-Za-z0-9._-]+")


def _named(pattern: re.Pattern[str], allowed: str, limit: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > limit:
            raise PydanticCustomError("name_too_long", f"has {len(value)} bytes; the limit is {limit}")
        if not pattern.fullmatch(value):
            raise PydanticCustomError(
                "name", "{value} may only hold {allowed}", {"value": repr(value), "allowed": allowed}
            )
        return value

    return AfterValidator(check)


def _short(value: str) -> str:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise PydanticCustomError("text", "holds a lone surrogate, which has no UTF-8 form; remove it") from None
    if size > TEXT_BYTES:
        raise PydanticCustomError("text_too_long", f"has {size} bytes; the limit is {TEXT_BYTES}")
    return value


Key = Annotated[str, _named(_KEY, "a-z 0-9 . _ -, at least one of them", KEY_BYTES)]
"""The key of an experiment, organization, metric or subject."""
Kind = Annotated[str, _named(_KEY, "a-z 0-9 . _ -, at least one of them", KIND_BYTES)]
"""The kind of a subject or unit."""
VariantName = Annotated[str, _named(_VARIANT, "A-Z a-z 0-9 . _ -, at least one of them", KEY_BYTES)]
"""The name of a variant."""
Text = Annotated[str, AfterValidator(_short)]
"""Words for people, at most 8 KiB."""
