"""What the methods compute with: float64 arrays, and arrays of reasons beside them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sortition.errors import InvalidArgument

__all__ = ["BoolArray", "FloatArray", "FloatLike", "TextArray", "answered", "check_share", "explain", "floats"]

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
TextArray: TypeAlias = NDArray[np.str_]
FloatLike: TypeAlias = ArrayLike
"""A number or an array of numbers; arrays broadcast against each other."""


def floats(values: FloatLike) -> FloatArray:
    """Returns `values` as float64."""
    return np.asarray(values, dtype=np.float64)


def explain(*cases: tuple[BoolArray | np.bool_, str]) -> TextArray:
    """Returns, per comparison, the text of the first case whose condition holds; empty where none does.

    >>> explain((np.array([True, False]), "too few"), (np.array([True, False]), "never reached")).tolist()
    ['too few', '']
    """
    conditions = np.broadcast_arrays(*(np.asarray(condition) for condition, _ in cases))
    if not any(condition.any() for condition in conditions):
        # As it nearly always is; choosing among texts takes longer than the statistics.
        return np.zeros(conditions[0].shape, dtype=f"<U{max(len(text) for _, text in cases)}")
    chosen = np.select(conditions, [np.asarray(text) for _, text in cases], default=np.asarray(""))
    return np.asarray(chosen, dtype=np.str_)


def answered(reason: TextArray) -> BoolArray:
    """Returns where there is no reason why not; like `reason == ""`, which would compare all of each text.

    >>> answered(np.array(["too few", ""])).tolist()
    [False, True]
    """
    text = np.ascontiguousarray(reason)
    return np.asarray(text.view(np.uint32).reshape(*reason.shape, -1)[..., 0] == 0)


def check_share(name: str, value: float) -> None:
    """Refuses a probability that is not strictly between 0 and 1.

    Raises:
        InvalidArgument: Names the argument and its value.
    """
    if not 0 < value < 1:
        raise InvalidArgument.of([(name, f"must be between 0 and 1, but is {value}")])
