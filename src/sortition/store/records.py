"""What the store holds, as typed values. Times are UTC and aware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sortition.core import Cell
from sortition.model import ExperimentSpec, ExperimentStatus, JsonObject, SubjectRef

__all__ = [
    "AllocationRecord",
    "AuditEvent",
    "DecisionRecord",
    "DeviationRecord",
    "ExperimentData",
    "ExperimentRecord",
    "PeekRecord",
    "RegistrationRecord",
    "RunRecord",
    "SubjectRecord",
    "VersionRecord",
]


@dataclass(frozen=True)
class AllocationRecord:
    """A table from bucket to variant: ranges that cover [0, 10000), each (first bucket behind it, variant index)."""

    generation: int
    ranges: tuple[tuple[int, int], ...]
    effective_at: datetime | None = None
    """When it took effect; None for the first one, which did at the start, and while it is announced."""
    ramp_step: int | None = None
    """Which step of the ramp it is, counted from 0; None for the first one, and where somebody asked for it."""

    def weights(self, variants: int) -> tuple[int, ...]:
        """Returns the number of buckets that each of so many variants has, which is its weight in basis points."""
        counts, start = [0] * variants, 0
        for end, variant in self.ranges:
            counts[variant] += end - start
            start = end
        return tuple(counts)


@dataclass(frozen=True)
class RunRecord:
    """Which run of its series an experiment is."""

    number: int = 1
    of: int = 1
    """How many there are."""
    first_id: str = ""
    """The id of the first one; empty for that one itself."""
    keys: tuple[str, ...] = ()
    """The keys of all runs, in order; empty where there is only one."""


@dataclass(frozen=True)
class DeviationRecord:
    """Something done by hand to a started experiment that its registration does not say."""

    at: datetime
    actor: str
    kind: str
    """What, such as "reweight"."""
    reason: str
    details: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class PeekRecord:
    """How often results were shown to somebody while an experiment ran."""

    count: int = 0
    early: int = 0
    """Those that came before a look that may decide."""
    days: frozenset[int] = frozenset()
    """The UTC days with any, counted from 1970-01-01."""
    first_at: datetime | None = None
    last_at: datetime | None = None

    def __add__(self, other: PeekRecord) -> PeekRecord:
        firsts = [at for at in (self.first_at, other.first_at) if at is not None]
        lasts = [at for at in (self.last_at, other.last_at) if at is not None]
        return PeekRecord(
            count=self.count + other.count,
            early=self.early + other.early,
            days=self.days | other.days,
            first_at=min(firsts, default=None),
            last_at=max(lasts, default=None),
        )


@dataclass(frozen=True)
class RegistrationRecord:
    """What was declared when an experiment was first started."""

    at: datetime
    actor: str
    reason: str
    algorithm: str
    hash: str
    document: str
    """Canonical JSON; the hash is over its bytes in UTF-8."""


@dataclass(frozen=True)
class ExperimentRecord:
    """An experiment as it is stored."""

    id: str
    spec: ExperimentSpec
    status: ExperimentStatus
    revision: int
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    archived_at: datetime | None = None
    winner: str = ""
    shipped_version: int = 0
    allocations: tuple[AllocationRecord, ...] = ()
    """Those that have taken effect, oldest first; the last one decides."""
    announced: AllocationRecord | None = None
    """The next one, while it has not taken effect."""
    run: RunRecord = RunRecord()
    registration: RegistrationRecord | None = None
    """None before it is started, and where an older version started it."""

    @property
    def weights(self) -> tuple[int, ...]:
        """The weights of the variants in basis points, in declared order: those in effect, else the declared ones."""
        if not self.allocations:
            return tuple(variant.basis_points for variant in self.spec.variants)
        return self.allocations[-1].weights(len(self.spec.variants))


@dataclass(frozen=True)
class VersionRecord:
    """An immutable configuration of a subject."""

    number: int
    config: JsonObject
    config_hash: str
    created_at: datetime
    origin: str
    """What made it: "created", "added" or "shipped"."""
    experiment: str = ""
    note: str = ""


@dataclass(frozen=True)
class SubjectRecord:
    """A subject with its current version; `current` is None while it has none."""

    id: int
    organization: str
    ref: SubjectRef
    description: str
    created_at: datetime
    current: VersionRecord | None


@dataclass(frozen=True)
class AuditEvent:
    """One act: who, when, what, to what, why."""

    id: int
    at: datetime
    actor: str
    action: str
    organization: str
    object: str
    reason: str
    details: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class DecisionRecord:
    """A decision with what it was based on, so that it can be computed again."""

    id: str
    experiment_id: str
    at: datetime
    kind: str
    winner: str
    should_ship: bool
    result: JsonObject
    inputs: JsonObject
    act: JsonObject | None = None
    """What automatic mode did by it, and why; None for a decision that it did not take."""


@dataclass(frozen=True)
class ExperimentData:
    """All aggregates of one experiment, merged over writers.

    Attributes:
        units: Distinct exposed units, shape (variants,).
        units_by_day: Units first exposed on each UTC day (counted from 1970-01-01), each of shape (variants,).
        cells: By (variant index, metric index), merged over days; a pair without outcomes is absent.
        daily: By (variant index, metric index, UTC day).
        crossed: Units that were seen in several variants; they are in none of the counts above, and their outcomes in
            the cells of both.
        outcomes_by_day: Observations of the primary metric on each UTC day, each of shape (variants,).
        levels: By (variant index, metric index, level number as in `ExperimentSpec.levels`), merged over days.
        periods: By (variant index, metric index, number of an allocation behind the first): the outcomes of units that
            were first exposed under it, merged over days. Those of the first one are what these leave of `cells`.
        units_by_period: Distinct exposed units by the number of the allocation that they were first exposed under, each
            of shape (variants,); empty while there is only one.
    """

    units: NDArray[np.int64]
    units_by_day: Mapping[int, NDArray[np.int64]]
    cells: Mapping[tuple[int, int], Cell]
    daily: Mapping[tuple[int, int, int], Cell]
    crossed: int = 0
    outcomes_by_day: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)
    levels: Mapping[tuple[int, int, int], Cell] = field(default_factory=dict)
    periods: Mapping[tuple[int, int, int], Cell] = field(default_factory=dict)
    units_by_period: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)
