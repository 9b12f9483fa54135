"""An analysis as JSON and back, without loss: NaN is null, times are ISO 8601 in UTC."""

from __future__ import annotations

import dataclasses
import math
import typing
from datetime import date, datetime, timezone
from enum import Enum
from types import UnionType
from typing import Any

from sortition.analyzer.history import History
from sortition.analyzer.result import AnalysisResult
from sortition.errors import DataLoss
from sortition.model import JsonObject, JsonValue

__all__ = ["from_json", "history_from_json", "history_to_json", "to_json"]


def to_json(result: AnalysisResult) -> JsonObject:
    """Returns the result as plain JSON: an object of its fields, in order."""
    return _fields(result)


def from_json(value: JsonObject) -> AnalysisResult:
    """Returns the result that `to_json` wrote. A field that is missing takes its default.

    Raises:
        DataLoss: It is not an analysis; names the first field that does not fit.
    """
    found = _read(AnalysisResult, value, "analysis")
    assert isinstance(found, AnalysisResult)
    return found


def history_to_json(history: History) -> JsonObject:
    """Returns what came before an analysis as plain JSON."""
    return _fields(history)


def history_from_json(value: JsonObject) -> History:
    """Returns the history that `history_to_json` wrote.

    Raises:
        DataLoss: It is not a history; names the first field that does not fit.
    """
    found = _read(History, value, "history")
    assert isinstance(found, History)
    return found


def _fields(record: Any) -> JsonObject:
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _plain(value: Any) -> JsonValue:
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    assert value is None or isinstance(value, (bool, int, str))
    return value


def _read(kind: Any, value: Any, path: str) -> Any:
    """Returns `value` as a `kind`, which is one of the types that results are made of."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, UnionType):
        inner = next(part for part in typing.get_args(kind) if part is not type(None))
        return None if value is None else _read(inner, value, path)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), value, path)
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return _read_record(kind, value, path)
    if kind is float and (value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))):
        return math.nan if value is None else float(value)
    try:
        if issubclass(kind, Enum) or kind is datetime:
            return kind(value) if issubclass(kind, Enum) else datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise _damaged(path, value) from None
    if type(value) is not kind:
        raise _damaged(path, value)
    return value


def _read_tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _damaged(path, value)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise _damaged(path, value)
    return tuple(_read(kind, item, f"{path}[{at}]") for at, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _read_record(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise _damaged(path, value)
    hints = typing.get_type_hints(kind)
    known = {name: _read(hints[name], item, f"{path}.{name}") for name, item in value.items() if name in hints}
    try:
        return kind(**known)
    except TypeError as error:
        raise DataLoss(f"a stored analysis is damaged: {path}: {error}") from None


def _damaged(path: str, value: Any) -> DataLoss:
    return DataLoss(f"a stored analysis is damaged: {path} is {value!r:.80}")
