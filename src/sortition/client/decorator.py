"""What the decorators of both clients share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

__all__ = ["Decorated"]

F = TypeVar("F", bound=Callable[..., Any])

_TRIAL = "trial"


class Decorated:
    """A function whose calls become trials.

    Args:
        function: The function.
        unit: The name of its parameter that holds the unit's id.
        asynchronous: Whether it has to be a coroutine function.

    Raises:
        TypeError: It cannot be decorated; the message says why.
    """

    def __init__(self, function: Callable[..., Any], unit: str, *, asynchronous: bool) -> None:
        name = getattr(function, "__qualname__", repr(function))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{name} is a generator: its trial would end before it begins; use `with client.assign(...)` inside"
            )
        if inspect.iscoroutinefunction(function) != asynchronous:
            wanted = "a coroutine function; use Client" if asynchronous else "an ordinary function; use AsyncClient"
            raise TypeError(f"{name} is not {wanted}")
        signature = inspect.signature(function)
        parameter = signature.parameters.get(_TRIAL)
        if parameter is None or parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise TypeError(f"{name} has to take the trial as a keyword: write `def {name}(..., *, trial)`")
        others = [each for each in signature.parameters.values() if each is not parameter]
        if unit not in {each.name for each in others}:
            raise TypeError(f"{name} has no parameter {unit!r} to take the unit from")
        self._function = function
        self._unit = unit
        self._signature = signature.replace(parameters=others)

    def unit_of(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Returns the unit's id from the arguments of a call.

        Raises:
            TypeError: The arguments do not fit the function.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments[self._unit]

    def dress(self, call: F) -> F:
        """Makes `call` look like the function, without the parameter that callers do not give."""
        dressed = functools.wraps(self._function)(call)
        dressed.__signature__ = self._signature  # type: ignore[attr-defined]
        return dressed  # type: ignore[return-value]
