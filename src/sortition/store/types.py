"""Values as columns hold them, read the same from every database."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from sortition.errors import DataLoss
from sortition.model import JsonObject, JsonValue

__all__ = ["Identity64", "JsonText", "UtcDateTime", "json_object"]

# SQLite numbers rows by itself only where the type is exactly INTEGER, which is 64 bits wide there.
Identity64 = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit number that the database hands out."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What a value is."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns what the driver is given.

        Raises:
            ValueError: The time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; pass an aware time")
        value = value.astimezone(timezone.utc)
        # SQLite keeps a text without a zone; that it is UTC is said here and below, and nowhere else.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns an aware time from what the driver gave."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class JsonText(TypeDecorator[Any]):
    """JSON as text: unlike a database's own JSON types, it comes back as it was written, to the last bit of a float."""

    impl = Text()
    cache_ok = True

    def process_bind_param(self, value: JsonValue, dialect: Dialect) -> str:
        """Returns the text; refuses NaN, which is not JSON."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Returns the value of the text."""
        return None if value is None else json.loads(value)


def json_object(text: str) -> JsonObject:
    """Reads a stored JSON object.

    Raises:
        DataLoss: It is not one.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataLoss(f"a stored configuration is damaged: {error}; restore a copy of the database") from error
    if not isinstance(value, dict):
        raise DataLoss(f"a stored configuration is damaged: it is a {type(value).__name__}; restore a copy")
    return value
