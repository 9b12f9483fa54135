"""What is measured."""

from __future__ import annotations

import math
from enum import Enum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from sortition.model.base import Part, refuse
from sortition.model.names import Key, Text

__all__ = ["Goal", "Metric", "MetricKind", "MetricRole", "Prior"]


class MetricKind(str, Enum):
    """What kind of quantity a metric is."""

    BINARY = "binary"
    CONTINUOUS = "continuous"
    DURATION = "duration"
    COUNT = "count"
    RATIO = "ratio"

    def __str__(self) -> str:
        return self.value


class Goal(str, Enum):
    """Which direction of a metric is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    def __str__(self) -> str:
        return self.value


class MetricRole(str, Enum):
    """What a metric is for."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"

    def __str__(self) -> str:
        return self.value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise PydanticCustomError("text", "must be a finite number, but is {value}", {"value": value})
    return value


def word(kind: type[Enum]) -> BeforeValidator:
    """Returns a validator that takes a member of `kind` or its word, and names the words when it gets another."""

    def check(value: Any) -> Any:
        words = [str(member.value) for member in kind]
        if isinstance(value, str) and value in words:
            return kind(value)
        if isinstance(value, kind):
            return value
        raise PydanticCustomError(
            "text", "must be one of {words}, but is {value}", {"words": ", ".join(words), "value": repr(value)}
        )

    return BeforeValidator(check, json_schema_input_type=kind)


Number = Annotated[float, AfterValidator(_finite)]
MAX_QUANTILES = 8
# The core sums squares of what it takes; squares of larger numbers would not be finite.
MAX_MAGNITUDE = 1e100
MAX_PSEUDO_COUNT = 1e9
# A relative difference of a hundred thousand percent says nothing any more.
MAX_PRIOR = 1e3


class Prior(Part):
    """What is believed of a metric before there are outcomes; for Bayesian figures, which inform and do not decide.

    Attributes:
        successes: For a binary metric: the pseudo-count of successes of each variant's Beta prior, > 0; 1 when absent.
        failures: For a binary metric: the pseudo-count of failures, > 0; 1 when absent.
        mean: For other metrics: the mean of the normal prior of the relative difference; 0 when absent.
        sd: For other metrics: its standard deviation, > 0, such as 0.1 where changes beyond 20 % would be a surprise.
    """

    successes: Number | None = Field(default=None, gt=0, le=MAX_PSEUDO_COUNT)
    failures: Number | None = Field(default=None, gt=0, le=MAX_PSEUDO_COUNT)
    mean: Number | None = Field(default=None, ge=-MAX_PRIOR, le=MAX_PRIOR)
    sd: Number | None = Field(default=None, gt=0, le=MAX_PRIOR)


class Metric(Part):
    """A quantity that outcomes are measured in.

    Attributes:
        name: Unique in the experiment.
        kind: What kind of quantity it is.
        unit: The unit of measurement, such as "ms"; for people.
        goal: Which direction is better.
        role: What it is for.
        quantiles: Quantiles to report and compare, each in (0, 1); a duration without any reports 0.5, 0.95 and 0.99.
        margin: For a guardrail: the relative worsening that is still tolerated, in [0, 1).
        min: The lowest value accepted.
        max: The highest value accepted.
        cap_min: Values below are counted as this one.
        cap_max: Values above are counted as this one.
        covariate: What the covariate of each observation is, if there is one; for people.
        prior: What is believed before there are outcomes; flat (for rates uniform) when absent.
    """

    later: ClassVar[frozenset[str]] = frozenset({"prior"})

    name: Key
    kind: Annotated[MetricKind, word(MetricKind)]
    unit: Text = ""
    goal: Annotated[Goal, word(Goal)]
    role: Annotated[MetricRole, word(MetricRole)] = MetricRole.SECONDARY
    quantiles: Annotated[tuple[Number, ...], Field(strict=False)] = ()
    margin: Number | None = None
    min: Number | None = None
    max: Number | None = None
    cap_min: Number | None = None
    cap_max: Number | None = None
    covariate: Text = ""
    prior: Prior | None = None

    @property
    def reported_quantiles(self) -> tuple[float, ...]:
        """The quantiles to report: the declared ones, or a duration's usual three."""
        return self.quantiles or ((0.5, 0.95, 0.99) if self.kind is MetricKind.DURATION else ())

    @model_validator(mode="after")
    def _consistent(self) -> Metric:
        found: list[tuple[tuple[int | str, ...], str, object]] = []
        for index, q in enumerate(self.quantiles):
            if not 0 < q < 1:
                found.append((("quantiles", index), f"must be between 0 and 1, but is {q}; write 0.95 for p95", q))
        if len(self.quantiles) > MAX_QUANTILES:
            found.append((("quantiles",), f"has {len(self.quantiles)} entries; the limit is {MAX_QUANTILES}", None))
        if len(set(self.quantiles)) != len(self.quantiles):
            found.append((("quantiles",), "names a quantile twice", None))
        if self.quantiles and self.kind in (MetricKind.BINARY, MetricKind.RATIO):
            found.append((("quantiles",), f"are not kept for a {self.kind} metric; remove them", None))
        if self.margin is not None:
            if self.role is not MetricRole.GUARDRAIL:
                found.append(
                    (("margin",), f"is for guardrails, but the role is {self.role}; set role: guardrail", None)
                )
            if not 0 <= self.margin < 1:
                found.append((("margin",), f"must be in [0, 1), but is {self.margin}; write 0.01 for 1 %", None))
        found.extend(self._bounds())
        found.extend(self._believed())
        refuse(found)
        return self

    def _believed(self) -> list[tuple[tuple[int | str, ...], str, object]]:
        if self.prior is None:
            return []
        binary = self.kind is MetricKind.BINARY
        wrong = ("mean", "sd") if binary else ("successes", "failures")
        right = "successes and failures" if binary else "mean and sd"
        found: list[tuple[tuple[int | str, ...], str, object]] = [
            (("prior", name), f"is not for a {self.kind} metric; give {right}", None)
            for name in wrong
            if getattr(self.prior, name) is not None
        ]
        if not binary and self.prior.sd is None:
            found.append((("prior", "sd"), "is required: how far the relative difference may be from the mean", None))
        return found

    def _bounds(self) -> list[tuple[tuple[int | str, ...], str, object]]:
        found: list[tuple[tuple[int | str, ...], str, object]] = []
        for name in ("min", "max", "cap_min", "cap_max"):
            bound = getattr(self, name)
            if bound is not None and abs(bound) > MAX_MAGNITUDE:
                found.append(((name,), f"is {bound}; the largest magnitude is {MAX_MAGNITUDE:g}", bound))
        if self.min is not None and self.max is not None and self.min > self.max:
            found.append((("min",), f"is {self.min}, above max {self.max}", None))
        if self.cap_min is not None and self.cap_max is not None and self.cap_min > self.cap_max:
            found.append((("cap_min",), f"is {self.cap_min}, above cap_max {self.cap_max}", None))
        if self.kind is MetricKind.BINARY:
            for name in ("min", "max", "cap_min", "cap_max"):
                if getattr(self, name) is not None:
                    found.append(((name,), "has no meaning for a binary metric, which is 0 or 1; remove it", None))
        return found
