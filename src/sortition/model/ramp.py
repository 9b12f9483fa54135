"""Ramps: how the treatments' share grows step by step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from sortition.model.base import Part, Refused
from sortition.model.names import VariantName
from sortition.model.variant import BASIS_POINTS, Variant, Weight

__all__ = ["MAX_STEPS", "RampStep", "ramp_violations", "step_weights", "weight_violations"]

MAX_STEPS = 20
_MAX_HOURS = 87_600
_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdw])")


def _hours(value: Any) -> Any:
    """Reads a length of time such as 30m, 12h, 2d or 1w; a number counts hours."""
    if not isinstance(value, str):
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _LENGTH.fullmatch(value.strip())
    if found is None:
        raise PydanticCustomError(
            "text", "must be a length of time such as 30m, 12h, 2d or 1w, but is {value}", {"value": repr(value)[:80]}
        )
    return float(found[1]) * _HOURS[found[2]]


Hours = Annotated[
    float,
    Field(ge=0, le=_MAX_HOURS),
    BeforeValidator(_hours),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "maximum": _MAX_HOURS}),
]


class RampStep(Part):
    """A step of a ramp. Exactly one of `treatment` and `weights` is given.

    Attributes:
        treatment: The share of all treatments together in percent, exact to 0.01; they share it as their declared
            weights do, and the control has the rest.
        weights: The weight of each variant in percent, by its name.
        hold: Hours for which the step is held at least; 0 on the last step, which is held until the end.
    """

    treatment: Weight | None = None
    weights: dict[VariantName, Weight] | None = None
    hold: Hours = 0.0


def ramp_violations(steps: Sequence[RampStep], variants: Sequence[Variant]) -> list[Refused]:
    """Returns what is wrong with a ramp of an experiment with these variants; paths are below the ramp."""
    found: list[Refused] = []
    if len(steps) > MAX_STEPS:
        found.append(((), f"has {len(steps)} steps; the limit is {MAX_STEPS}", None))
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        if (step.treatment is None) == (step.weights is None):
            found.append(((index,), "must have either treatment or weights", None))
        if step.treatment is not None and step.treatment == 0:
            found.append(((index, "treatment"), "is 0; a step gives the treatments something", step.treatment))
        if step.weights is not None:
            found += [((index, "weights", *where), text, None) for where, text in _weights(step.weights, variants)]
        if last and step.hold:
            text = "is for steps that another one follows; the last one is held until the experiment ends: leave it out"
            found.append(((index, "hold"), text, step.hold))
        elif not last and not step.hold:
            found.append(((index, "hold"), "is required, such as 24h: how long the step is held at least", None))
    return found


def _weights(weights: dict[str, Decimal], variants: Sequence[Variant]) -> list[tuple[tuple[str, ...], str]]:
    names = [variant.name for variant in variants]
    found: list[tuple[tuple[str, ...], str]] = [
        ((name,), f"is not a variant; there are {', '.join(names)}") for name in weights if name not in names
    ]
    missing = [name for name in names if name not in weights]
    if missing:
        found.append(((), f"lacks {', '.join(missing)}; give every variant a weight, 0 where it gets nothing"))
    total = sum(weights.values(), Decimal(0))
    if not found and total != 100:
        found.append(((), f"sum to {total.normalize():f} %; they must sum to 100 %"))
    return found


def weight_violations(weights: dict[str, Decimal], variants: Sequence[Variant]) -> list[tuple[str, str]]:
    """Returns what is wrong with weights by name, as (the name it is about or "", what)."""
    return [(".".join(where), text) for where, text in _weights(weights, variants)]


def step_weights(step: RampStep, variants: Sequence[Variant]) -> tuple[int, ...]:
    """Returns the weights of a step in basis points, in declared order; they sum to 10,000."""
    if step.weights is not None:
        return tuple(int(step.weights[variant.name] * 100) for variant in variants)
    assert step.treatment is not None
    share = int(step.treatment * 100)
    treatments = [variant for variant in variants if not variant.control]
    declared = [variant.basis_points for variant in treatments]
    if not any(declared):
        declared = [1] * len(treatments)
    parts = [share * weight // sum(declared) for weight in declared]
    # What rounding left goes to the largest remainders, the first of equal ones.
    by_rest = sorted(range(len(parts)), key=lambda index: -(share * declared[index] % sum(declared)))
    for index in by_rest[: share - sum(parts)]:
        parts[index] += 1
    remaining = iter(parts)
    return tuple(BASIS_POINTS - share if variant.control else next(remaining) for variant in variants)
