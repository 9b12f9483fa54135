"""Turns the ids that a caller holds into what the core reads without the GIL."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias, cast

from sortition.core import Units
from sortition.errors import InvalidArgument

__all__ = ["UnitArray", "units_of"]


class _ArrowArray(Protocol):
    """What is used of an Arrow array of texts."""

    offset: int
    null_count: int
    type: Any

    def __len__(self) -> int: ...
    def buffers(self) -> list[Any]: ...


UnitArray: TypeAlias = "Sequence[str] | Any"
"""A list of texts, an array of NumPy (S, U, int64 or uint64) or another such buffer, or an array of Arrow."""

_OFFSET_BYTES: Final = {"string": 4, "utf8": 4, "large_string": 8, "large_utf8": 8}
_NATIVE: Final = "<" if sys.byteorder == "little" else ">"
# How a buffer says what it holds. NumPy's U is its own letter; an array of bytes is one of width and "s".
_NUMBERS: Final = {"q": "i", "l": "i", "Q": "u", "L": "u"}


def units_of(units: UnitArray) -> Units:
    """Returns the ids in `units`, which are copied or, where they cannot change, shared.

    Raises:
        InvalidArgument: They are of another kind, in several dimensions, or a text is missing.
    """
    if isinstance(units, Units):
        return units
    if isinstance(units, (list, tuple)):
        return _texts(units)
    if hasattr(units, "buffers") and hasattr(units, "null_count"):
        return _arrow(cast("_ArrowArray", units))
    try:
        view = memoryview(cast("Any", units))
    except TypeError:
        if isinstance(units, Sequence) and not isinstance(units, str):
            return _texts(list(units))
        raise _unreadable(f"of type {type(units).__name__}") from None
    with view:
        return _buffer(view)


def _texts(texts: Sequence[Any]) -> Units:
    try:
        return Units.texts(texts)
    except TypeError as error:
        raise _unreadable(f"that are not all text ({error})") from None


def _buffer(view: memoryview) -> Units:
    if view.ndim != 1:
        raise _unreadable(f"in {view.ndim} dimensions")
    order, letter = view.format[:1], view.format.lstrip("@=<>!0123456789")
    if order in "<>!" and order != _NATIVE and letter != "s" and view.itemsize > 1:
        raise _unreadable("in the other byte order")
    width = view.itemsize
    if letter == "s":
        kind = "S"
    elif letter == "w":
        kind = "U"
    elif letter in _NUMBERS and width == 8:
        kind = _NUMBERS[letter]
    else:
        raise _unreadable(f"in the format {view.format!r}")
    # Copied: whoever owns it may write into it while the core reads.
    return Units.fixed(kind, width, view.tobytes())


def _arrow(array: _ArrowArray) -> Units:
    width = _OFFSET_BYTES.get(str(array.type))
    if width is None:
        raise _unreadable(f"of the Arrow type {array.type}")
    if array.null_count:
        raise InvalidArgument.of([("units", f"has {array.null_count} nulls; every unit has an id")])
    _, offsets, data = array.buffers()
    with memoryview(offsets) as view:
        used = view.cast("B")[array.offset * width : (array.offset + len(array) + 1) * width].tobytes()
    # Arrow's buffers do not change, and bytes of them are shared where Arrow can.
    return Units.utf8(used or bytes(width), width, bytes(data) if data is not None else b"")


def _unreadable(what: str) -> InvalidArgument:
    wanted = "give a list of texts, an array of texts or of 64-bit integers, or an Arrow array of strings"
    return InvalidArgument.of([("units", f"{what} cannot be read; {wanted}")])
