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
    "ExperimentData",
    "ExperimentRecord",
    "SubjectRecord",
    "VersionRecord",
]


@dataclass(frozen=True)
class AllocationRecord:
    """A table from bucket to variant: ranges that cover [0, 10000), each (first bucket behind it, variant index)."""

    generation: int
    ranges: tuple[tuple[int, int], ...]


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
    """

    units: NDArray[np.int64]
    units_by_day: Mapping[int, NDArray[np.int64]]
    cells: Mapping[tuple[int, int], Cell]
    daily: Mapping[tuple[int, int, int], Cell]
    crossed: int = 0
    outcomes_by_day: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)
    levels: Mapping[tuple[int, int, int], Cell] = field(default_factory=dict)
