"""Turns the ids that a caller holds into what the core reads without the GIL."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
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

# Large enough that the GIL is asked for seldom, small enough that two threads that begin together soon work together;
# and the memory of one piece serves the next.
_PIECE_UNITS: Final = 65_536
_PIECE_BYTES: Final = 4 * 2**20
_OFFSET_BYTES: Final = {"string": 4, "utf8": 4, "large_string": 8, "large_utf8": 8}
_NATIVE: Final = "<" if sys.byteorder == "little" else ">"
# How a buffer says what it holds. NumPy's U is its own letter; an array of bytes is one of width and "s".
_NUMBERS: Final = {"q": "i", "l": "i", "Q": "u", "L": "u"}


def units_of(units: UnitArray) -> Iterator[Units]:
    """Returns the ids in `units` in their order and in pieces, which are copied or, where they cannot change, shared.

    The first piece is made at once, and each other one when it is asked for: `units` has to stay as it is until then.

    Raises:
        InvalidArgument: They are of another kind, in several dimensions, or a text is missing; of a piece that is made
            later, when it is asked for.
    """
    pieces = _pieces(units)
    return chain((next(pieces),), pieces)


def _pieces(units: UnitArray) -> Iterator[Units]:
    if isinstance(units, Units):
        return iter((units,))
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
    return _buffer(view)


def _texts(texts: Sequence[Any]) -> Iterator[Units]:
    count = len(texts)
    for begin in _begins(count, _PIECE_UNITS):
        try:
            piece = Units.texts(texts, begin, begin + _PIECE_UNITS)
        except TypeError as error:
            raise _unreadable(f"that are not all text ({error})") from None
        if len(texts) != count:
            raise _unreadable(f"that were {count} and then {len(texts)}")
        yield piece


def _buffer(view: memoryview) -> Iterator[Units]:
    with view:
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
        many = min(_PIECE_UNITS, max(1, _PIECE_BYTES // max(1, width)))
        for begin in _begins(len(view), many):
            # Copied: whoever owns it may write into it while the core reads.
            yield Units.fixed(kind, width, view[begin : begin + many].tobytes())


def _arrow(array: _ArrowArray) -> Iterator[Units]:
    width = _OFFSET_BYTES.get(str(array.type))
    if width is None:
        raise _unreadable(f"of the Arrow type {array.type}")
    if array.null_count:
        raise InvalidArgument.of([("units", f"has {array.null_count} nulls; every unit has an id")])
    _, offsets, data = array.buffers()
    # Arrow's buffers do not change, and bytes of them are shared where Arrow can.
    texts = bytes(data) if data is not None else b""
    with memoryview(offsets) as view:
        numbers = view.cast("B")[array.offset * width : (array.offset + len(array) + 1) * width]
        for begin in _begins(len(array), _PIECE_UNITS):
            # With the end of the last, where the next piece begins.
            used = numbers[begin * width : (begin + _PIECE_UNITS + 1) * width].tobytes()
            yield Units.utf8(used or bytes(width), width, texts)


def _begins(count: int, piece: int) -> range:
    """Returns where pieces begin; of nothing there is one as well, as it may be nothing of a wrong kind."""
    return range(0, max(1, count), piece)


def _unreadable(what: str) -> InvalidArgument:
    wanted = "give a list of texts, an array of texts or of 64-bit integers, or an Arrow array of strings"
    return InvalidArgument.of([("units", f"{what} cannot be read; {wanted}")])
