"""Everything a person declares about an experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from sortition.model.base import Part, Refused, refuse
from sortition.model.canonical import canonical_json, config_hash
from sortition.model.decision import Decision
from sortition.model.dimension import MAX_DIMENSIONS, MAX_LEVELS_TOGETHER, OTHER, Dimension
from sortition.model.metric import Metric, MetricRole
from sortition.model.names import DEFAULT_ORGANIZATION, MAX_METRICS, MAX_VARIANTS, Key, Kind, Text
from sortition.model.ramp import RampStep, ramp_violations, step_weights
from sortition.model.subject import SubjectRef
from sortition.model.variant import BASIS_POINTS, Variant

__all__ = ["ExperimentSpec"]


def _together(check: Callable[[Sequence[Any]], list[Refused]]) -> WrapValidator:
    """Returns a validator that checks a list as a whole even when an entry of it is refused: all is said at once."""

    def validator(value: Any, each: ValidatorFunctionWrapHandler) -> Any:
        try:
            parts = each(value)
        except ValidationError as error:
            refuse(check(value) if isinstance(value, (list, tuple)) else (), beside=error)
            raise
        refuse(check(parts))
        return parts

    return WrapValidator(validator)


def _declared(part: Any, field: str) -> Any:
    return part.get(field) if isinstance(part, Mapping) else getattr(part, field, None)


def _names(parts: Sequence[Any]) -> list[str]:
    return [name for part in parts if isinstance(name := _declared(part, "name"), str)]


def _repeated(parts: Sequence[Any], what: str) -> list[Refused]:
    return [
        ((), f"has {count} {what} named {name!r}; names must be unique", None)
        for name, count in Counter(_names(parts)).items()
        if count > 1
    ]


def _variants(variants: Sequence[Any]) -> list[Refused]:
    found: list[Refused] = []
    if len(variants) < 2:
        found.append(((), f"has {len(variants)}; an experiment needs at least 2", None))
    if len(variants) > MAX_VARIANTS:
        found.append(((), f"has {len(variants)}; the limit is {MAX_VARIANTS}", None))
    found.extend(_repeated(variants, "variants"))
    controls = [variant for variant in variants if _declared(variant, "control") is True]
    if not controls:
        found.append(((), "has no control; set control: true on exactly one", None))
    elif len(controls) > 1:
        found.append(((), f"has {len(controls)} controls ({', '.join(_names(controls))}); keep exactly one", None))
    # A sum with a refused weight in it would say nothing.
    if all(isinstance(variant, Variant) for variant in variants):
        total = sum(variant.basis_points for variant in variants)
        if total != BASIS_POINTS:
            found.append(((), f"has weights that sum to {total / 100:g} %; they must sum to 100 %", None))
    return found


def _metrics(metrics: Sequence[Any]) -> list[Refused]:
    found: list[Refused] = []
    if len(metrics) > MAX_METRICS:
        found.append(((), f"has {len(metrics)}; the limit is {MAX_METRICS}", None))
    found.extend(_repeated(metrics, "metrics"))
    primary = [metric for metric in metrics if _declared(metric, "role") == MetricRole.PRIMARY]
    if not primary:
        found.append(((), "has no primary metric; set role: primary on exactly one", None))
    elif len(primary) > 1:
        found.append(((), f"has {len(primary)} primary metrics ({', '.join(_names(primary))}); keep exactly one", None))
    return found


def _dimensions(dimensions: Sequence[Any]) -> list[Refused]:
    found: list[Refused] = []
    if len(dimensions) > MAX_DIMENSIONS:
        found.append(((), f"has {len(dimensions)}; the limit is {MAX_DIMENSIONS}", None))
    found.extend(_repeated(dimensions, "dimensions"))
    levels = (_declared(dimension, "levels") for dimension in dimensions)
    together = sum(len(each) for each in levels if isinstance(each, (list, tuple)))
    if together > MAX_LEVELS_TOGETHER:
        found.append(((), f"has {together} levels together; the limit is {MAX_LEVELS_TOGETHER}", None))
    return found


class ExperimentSpec(Part):
    """Everything a person declares about an experiment.

    Attributes:
        key: Unique in the organization.
        organization: Who owns it.
        subject: What it is about.
        name: A title for people; the key when empty.
        description: For people.
        hypothesis: What is expected to happen, and why.
        unit: What is randomized, such as "session" or "user".
        metrics: What is measured; exactly one is primary.
        variants: The arms, in the order that decides allocation.
        decision: When and how it is decided.
        external_assignment: Whether variants are chosen elsewhere and named by each outcome.
        dimensions: What outcomes are broken down by.
        ramp: How the treatments' share grows step by step; without any it does not.
    """

    later: ClassVar[frozenset[str]] = frozenset({"dimensions", "ramp"})

    key: Key
    organization: Key = DEFAULT_ORGANIZATION
    subject: SubjectRef
    name: Text = ""
    description: Text = ""
    hypothesis: Text = ""
    unit: Kind = "session"
    metrics: Annotated[tuple[Metric, ...], Field(strict=False), _together(_metrics)]
    variants: Annotated[tuple[Variant, ...], Field(strict=False), _together(_variants)]
    decision: Decision = Decision()
    external_assignment: bool = False
    dimensions: Annotated[tuple[Dimension, ...], Field(strict=False), _together(_dimensions)] = ()
    ramp: Annotated[tuple[RampStep, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _ramped(self) -> ExperimentSpec:
        found = [(("ramp", *where), text, value) for where, text, value in ramp_violations(self.ramp, self.variants)]
        if self.ramp and self.external_assignment:
            found.append((("ramp",), "is for weights, and variants are chosen elsewhere; remove it", None))
        refuse(found)
        return self

    @property
    def starting_weights(self) -> tuple[int, ...]:
        """The weights at the start in basis points, in declared order: those of the ramp's first step, if any."""
        if self.ramp:
            return step_weights(self.ramp[0], self.variants)
        return tuple(variant.basis_points for variant in self.variants)

    @property
    def title(self) -> str:
        """The name, or the key when there is none."""
        return self.name or self.key

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return next(metric for metric in self.metrics if metric.role is MetricRole.PRIMARY)

    @property
    def control(self) -> Variant:
        """The variant that others are compared with."""
        return next(variant for variant in self.variants if variant.control)

    @property
    def levels(self) -> tuple[tuple[str, str], ...]:
        """Every level as (dimension, level), each dimension's "other" behind its own; level number n is at n - 1."""
        return tuple((each.name, level) for each in self.dimensions for level in (*each.levels, OTHER))

    def metric(self, name: str) -> Metric | None:
        """Returns the metric called `name`."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def variant(self, name: str) -> Variant | None:
        """Returns the variant called `name`."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def to_json(self) -> bytes:
        """Returns its canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def hash(self) -> str:
        """The SHA-256 of its canonical JSON, in hexadecimal."""
        return config_hash(self.model_dump(mode="json"))
