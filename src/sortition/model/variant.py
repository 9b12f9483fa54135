"""The arms of an experiment."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from sortition.model.base import Part
from sortition.model.canonical import JsonObject, canonical_json, normalize
from sortition.model.names import CONFIG_BYTES, Text, VariantName

__all__ = ["BASIS_POINTS", "Config", "Variant"]

BASIS_POINTS = 10_000
"""Basis points in the whole: weights are exact to 0.01 %."""
_GRAIN = Decimal("0.01")


def _weight(value: Any) -> Decimal:
    # A float's shortest decimal is what was written: 33.33 is exactly 33.33.
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise PydanticCustomError("text", "must be a percentage such as 33.33, but is {value}", {"value": repr(value)})
    try:
        weight = Decimal(value) if isinstance(value, int) else Decimal(str(value).strip())
    except InvalidOperation:
        raise PydanticCustomError(
            "text", "must be a percentage such as 33.33, but is {value}", {"value": repr(value)[:80]}
        ) from None
    if not weight.is_finite() or not 0 <= weight <= 100:
        raise PydanticCustomError(
            "text", "must be a percentage from 0 to 100, but is {value}", {"value": str(weight)[:80]}
        )
    # A product would be rounded to 28 digits first; comparisons are exact.
    rounded = weight.quantize(_GRAIN)
    if weight != rounded:
        raise PydanticCustomError(
            "text", "is {value}, finer than 0.01 %; round it to two decimals", {"value": str(weight)[:80]}
        )
    return rounded


def _plain(weight: Decimal) -> str:
    """Writes a weight without trailing zeros, so that 33 and 33.00 are one text."""
    return f"{weight.normalize():f}"


def _config(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise PydanticCustomError("text", "must be a mapping, but is {kind}", {"kind": type(value).__name__})
    try:
        size = len(canonical_json(value))
        config = normalize(value)
    except ValueError as error:
        raise PydanticCustomError("text", "{error}", {"error": str(error)}) from None
    if size > CONFIG_BYTES:
        raise PydanticCustomError(
            "text", "has {size} bytes as JSON; the limit is {limit}", {"size": size, "limit": CONFIG_BYTES}
        )
    assert isinstance(config, dict)
    return config


Weight = Annotated[
    Decimal,
    BeforeValidator(_weight),
    PlainSerializer(_plain, return_type=str),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "maximum": 100, "multipleOf": 0.01}),
]
Config = Annotated[dict[str, Any], BeforeValidator(_config), WithJsonSchema({"type": "object"})]
"""A JSON object, at most 256 KiB as canonical JSON."""


class Variant(Part):
    """One arm of an experiment.

    Attributes:
        name: Unique in the experiment.
        weight: Its share of the units in percent, exact to 0.01.
        control: Whether it is the one that others are compared with.
        config: What it changes: merged over the subject's current configuration.
        description: For people.
    """

    name: VariantName
    weight: Weight
    control: bool = False
    config: Config = Field(default_factory=dict)
    description: Text = ""

    @property
    def basis_points(self) -> int:
        """The weight in hundredths of a percent."""
        return int(self.weight * 100)
