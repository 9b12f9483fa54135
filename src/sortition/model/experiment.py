"""Everything a person declares about an experiment."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from sortition.model.base import Part, refuse
from sortition.model.canonical import canonical_json, config_hash
from sortition.model.decision import Decision
from sortition.model.metric import Metric, MetricRole
from sortition.model.names import DEFAULT_ORGANIZATION, MAX_METRICS, MAX_VARIANTS, Key, Kind, Text
from sortition.model.subject import SubjectRef
from sortition.model.variant import BASIS_POINTS, Variant

__all__ = ["ExperimentSpec"]


def _variants(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    found: list[tuple[tuple[int | str, ...], str, object]] = []
    if len(variants) < 2:
        found.append(((), f"has {len(variants)}; an experiment needs at least 2", None))
    if len(variants) > MAX_VARIANTS:
        found.append(((), f"has {len(variants)}; the limit is {MAX_VARIANTS}", None))
    found.extend(
        ((), f"has {count} variants named {name!r}; names must be unique", None)
        for name, count in Counter(variant.name for variant in variants).items()
        if count > 1
    )
    controls = [variant.name for variant in variants if variant.control]
    if not controls:
        found.append(((), "has no control; set control: true on exactly one", None))
    elif len(controls) > 1:
        found.append(((), f"has {len(controls)} controls ({', '.join(controls)}); keep exactly one", None))
    total = sum(variant.basis_points for variant in variants)
    if total != BASIS_POINTS:
        found.append(((), f"has weights that sum to {total / 100:g} %; they must sum to 100 %", None))
    refuse(found)
    return variants


def _metrics(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    found: list[tuple[tuple[int | str, ...], str, object]] = []
    if len(metrics) > MAX_METRICS:
        found.append(((), f"has {len(metrics)}; the limit is {MAX_METRICS}", None))
    found.extend(
        ((), f"has {count} metrics named {name!r}; names must be unique", None)
        for name, count in Counter(metric.name for metric in metrics).items()
        if count > 1
    )
    primary = [metric.name for metric in metrics if metric.role is MetricRole.PRIMARY]
    if not primary:
        found.append(((), "has no primary metric; set role: primary on exactly one", None))
    elif len(primary) > 1:
        found.append(((), f"has {len(primary)} primary metrics ({', '.join(primary)}); keep exactly one", None))
    refuse(found)
    return metrics


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
    """

    key: Key
    organization: Key = DEFAULT_ORGANIZATION
    subject: SubjectRef
    name: Text = ""
    description: Text = ""
    hypothesis: Text = ""
    unit: Kind = "session"
    metrics: Annotated[tuple[Metric, ...], Field(strict=False), AfterValidator(_metrics)]
    variants: Annotated[tuple[Variant, ...], Field(strict=False), AfterValidator(_variants)]
    decision: Decision = Decision()
    external_assignment: bool = False

    @model_validator(mode="after")
    def _samples(self) -> ExperimentSpec:
        limit = self.decision.max_samples
        if limit is not None and limit < self.decision.min_samples:
            refuse([(("decision", "max_samples"), f"is {limit}, below min_samples {self.decision.min_samples}", limit)])
        return self

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
