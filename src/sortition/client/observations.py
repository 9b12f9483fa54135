"""Turns measured values into observations."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import SupportsFloat, TypeAlias

from sortition.client.wanted import utf8
from sortition.errors import InvalidArgument, Violation
from sortition.rpc.v1 import recording_pb2

__all__ = ["MAX_OBSERVATIONS", "PER_OUTCOME", "Value", "Values", "observation", "observations", "outcomes"]

Value: TypeAlias = "bool | SupportsFloat"
"""One measured value: a number, or whether something happened."""
Values: TypeAlias = "Value | Iterable[Value]"
"""One measured value of a metric, or several."""

PER_OUTCOME = 256
"""Observations that one outcome may hold."""
MAX_OBSERVATIONS = 10_000
"""Observations that one trial may hold; they have to fit into one call."""


def observation(
    metric: str, value: Value, denominator: float | None = None, covariate: float | None = None
) -> recording_pb2.Observation:
    """Returns the observation of one value.

    Raises:
        InvalidArgument: The value is not a finite number or a truth value, or the metric's name is not text.
    """
    if not isinstance(metric, str):
        raise InvalidArgument.of([("metric", f"must be text, but is {type(metric).__name__}")])
    made = recording_pb2.Observation(metric=utf8("metric", metric))
    if isinstance(value, bool):
        made.flag = value
    else:
        made.number = _number(metric, value)
    if denominator is not None:
        made.denominator = _number(f"{metric}.denominator", denominator)
    if covariate is not None:
        made.covariate = _number(f"{metric}.covariate", covariate)
    return made


def observations(values: Mapping[str, Values]) -> list[recording_pb2.Observation]:
    """Returns the observations of all `values`, in their order.

    Raises:
        InvalidArgument: Some of them cannot be observed; lists every one.
    """
    made: list[recording_pb2.Observation] = []
    violations: list[Violation] = []
    for metric, given in values.items():
        for value in _each(given):
            try:
                made.append(observation(metric, value))
            except InvalidArgument as error:
                violations.extend(error.violations)
    if violations:
        raise InvalidArgument.of(violations)
    return made


def outcomes(
    measured: list[recording_pb2.Observation],
    *,
    experiment: str,
    unit: str,
    variant: str,
    organization: str,
    dimensions: Mapping[str, str],
) -> list[recording_pb2.Outcome]:
    """Returns the outcomes that hold `measured`; several where they are too many for one."""
    return [
        recording_pb2.Outcome(
            experiment=experiment,
            unit=unit,
            variant=variant,
            organization=organization,
            dimensions=dimensions,
            observations=measured[start : start + PER_OUTCOME],
        )
        for start in range(0, len(measured), PER_OUTCOME)
    ]


def _each(given: Values) -> Iterator[Value]:
    # Text and mappings go on as they are, to be refused under their metric's name.
    several = None
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
        # An array of no dimensions says it can be iterated, and is one number.
        with contextlib.suppress(TypeError):
            several = iter(given)
    if several is None:
        yield given  # type: ignore[misc]
    else:
        # One more than may be noted, so that an endless iterable is refused.
        yield from itertools.islice(several, MAX_OBSERVATIONS + 1)


def _number(field: str, value: SupportsFloat) -> float:
    # Text would become a number by float(); that "12" was measured is more likely a mistake.
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, SupportsFloat):
        raise InvalidArgument.of([(field, f"must be a number or a truth value, but is {type(value).__name__}")])
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument.of([(field, f"is not a number: {error}")]) from None
    if not math.isfinite(number):
        raise InvalidArgument.of([(field, f"must be finite, but is {number}; record only what was measured")])
    return number
