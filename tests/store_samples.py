"""Things to store: experiments, cells and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, cast

from sortition.core import Cell, SealedBatch
from sortition.model import ExperimentSpec, ExperimentStatus, SubjectRef, validate
from sortition.store import Database, ExperimentRecord, experiments, subjects

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=timezone.utc)
AGENT = SubjectRef(kind="agent", id="search-agent")
DAY = 20_513


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def make_spec(key: str = "search", *, organization: str = "default", subject: SubjectRef = AGENT) -> ExperimentSpec:
    raw: dict[str, Any] = {
        "key": key,
        "organization": organization,
        "subject": {"kind": subject.kind, "id": subject.id},
        "hypothesis": "One pass beats two – für alle.",
        "metrics": [
            {"name": "total", "kind": "duration", "goal": "minimize", "role": "primary", "min": 0.1},
            {"name": "found", "kind": "binary", "goal": "maximize", "role": "guardrail", "margin": 0.01},
        ],
        "variants": [
            {"name": "sequential", "weight": "33.33", "control": True, "config": {"strategy": "sequential"}},
            {"name": "combined", "weight": "66.67", "config": {"strategy": "combined", "ratio": 0.1}},
        ],
        "decision": {"min_samples": 300, "max_days": 2.5},
    }
    return validate(ExperimentSpec, raw)


def make_record(
    key: str = "search",
    *,
    status: ExperimentStatus = ExperimentStatus.DRAFT,
    created_at: datetime = NOW,
    organization: str = "default",
    subject: SubjectRef = AGENT,
) -> ExperimentRecord:
    return ExperimentRecord(
        id=f"id-{organization}-{key}",
        spec=make_spec(key, organization=organization, subject=subject),
        status=status,
        revision=1,
        created_at=created_at,
    )


def store(db: Database, record: ExperimentRecord) -> ExperimentRecord:
    """Stores an experiment, and its subject where there is none yet."""
    with db.write() as tx:
        if subjects.get(tx, record.spec.organization, record.spec.subject) is None:
            subjects.insert(tx, record.spec.organization, record.spec.subject, "", NOW)
        experiments.insert(tx, record)
    return record


def make_cell(experiment_id: str, values: Sequence[float], *, quantiles: bool = False, first_unit: int = 0) -> Cell:
    cell = Cell(quantiles=quantiles)
    cell.add_many(experiment_id, [f"unit-{first_unit + index}" for index in range(len(values))], values)
    return cell


@dataclass(frozen=True)
class Delta:
    cell: Cell
    experiment_id: str = "id-default-search"
    variant: int = 0
    metric: int = 0
    day: int = DAY
    level: int = 0


@dataclass(frozen=True)
class Seen:
    unit_hash: int
    experiment_id: str = "id-default-search"
    variant: int = 0
    bucket: int = 17
    generation: int = 1
    day: int = DAY


@dataclass(frozen=True)
class _Batch:
    number: int
    cells: list[Delta] = field(default_factory=list)
    exposures: list[Seen] = field(default_factory=list)


def make_batch(number: int, cells: Sequence[Delta] = (), exposures: Sequence[Seen] = ()) -> SealedBatch:
    """Returns a batch with any content; the engine's own cannot be made by hand."""
    return cast(SealedBatch, _Batch(number, list(cells), list(exposures)))


def contents(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Returns every row that a batch can change, in a fixed order."""
    with db.read() as tx:
        return {
            table: [tuple(row) for row in tx.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4")]
            for table in ("cells", "exposures", "segment_cells", "writers")
        }
