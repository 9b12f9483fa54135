"""Decisions with everything they rest on, so that each can be computed again from its own row."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from sortition.analyzer.analyze import analyze
from sortition.analyzer.history import History
from sortition.analyzer.json import history_from_json, history_to_json, to_json
from sortition.analyzer.result import AnalysisResult
from sortition.core import Cell
from sortition.errors import DataLoss
from sortition.model import ExperimentSpec, ExperimentStatus, JsonObject, validate
from sortition.store.records import AllocationRecord, DecisionRecord, ExperimentData, ExperimentRecord

__all__ = [
    "COMPLETED",
    "HELD",
    "LOOK",
    "RAMPED",
    "REACHED",
    "data_from_inputs",
    "decide",
    "history_from_inputs",
    "inputs_of",
    "recompute",
    "record_from_inputs",
]

# Stored with every decision; a reader that meets another number does not guess.
FORMAT: Final = 1
COMPLETED: Final = "complete"
"""The decision that ended an experiment."""
REACHED: Final = "reached"
"""The decision that the policy reached; it does not flip back."""
HELD: Final = "hold"
"""The decision of a sidecar that saw harm and gave every unit the control by itself."""
RAMPED: Final = "ramp"
"""The decision that took an experiment to the next step of its ramp."""
LOOK: Final = "look"
"""A planned look that reached none."""

T = TypeVar("T")


def decide(
    record: ExperimentRecord,
    data: ExperimentData,
    result: AnalysisResult,
    history: History | None = None,
    kind: str = COMPLETED,
) -> DecisionRecord:
    """Returns the decision that `result`, the analysis of `data` after `history`, stands for."""
    return DecisionRecord(
        id=uuid4().hex,
        experiment_id=record.id,
        at=result.analyzed_at,
        kind=kind,
        winner=result.winner,
        should_ship=result.should_ship,
        result=to_json(result),
        inputs=inputs_of(record, data, history),
    )


def recompute(decision: DecisionRecord) -> AnalysisResult:
    """Returns the analysis of a decision, computed again from what is stored with it.

    Raises:
        DataLoss: What is stored is not what `inputs_of` made.
    """
    inputs = decision.inputs
    return analyze(record_from_inputs(inputs), data_from_inputs(inputs), decision.at, history_from_inputs(inputs))


def inputs_of(record: ExperimentRecord, data: ExperimentData, history: History | None = None) -> JsonObject:
    """Returns everything that an analysis of `data` after `history` rests on, as JSON.

    The daily cells are left out: they sum to the others, weigh many times as much, and only draw the series.
    """
    return {
        "format": FORMAT,
        "experiment": {
            "id": record.id,
            "spec": record.spec.model_dump(mode="json"),
            "status": str(record.status),
            "revision": record.revision,
            "created_at": record.created_at.isoformat(),
            "started_at": record.started_at.isoformat() if record.started_at else None,
            "allocations": [
                {"generation": allocation.generation, "ranges": [list(part) for part in allocation.ranges]}
                for allocation in record.allocations
            ],
        },
        "units": data.units.tolist(),
        "units_by_day": {str(day): units.tolist() for day, units in sorted(data.units_by_day.items())},
        "crossed": data.crossed,
        "outcomes_by_day": {str(day): counts.tolist() for day, counts in sorted(data.outcomes_by_day.items())},
        "cells": [
            {"variant": variant, "metric": metric, "parts": _cell_to_json(cell)}
            for (variant, metric), cell in sorted(data.cells.items(), key=lambda item: item[0])
        ],
        # Without their sketches: levels are compared by their means alone.
        "levels": [
            {"variant": variant, "metric": metric, "level": level, "parts": {**_cell_to_json(cell), "sketch": None}}
            for (variant, metric, level), cell in sorted(data.levels.items(), key=lambda item: item[0])
        ],
        "periods": [
            {"variant": variant, "metric": metric, "generation": generation, "parts": _cell_to_json(cell)}
            for (variant, metric, generation), cell in sorted(data.periods.items(), key=lambda item: item[0])
        ],
        "units_by_period": {str(number): units.tolist() for number, units in sorted(data.units_by_period.items())},
        "history": history_to_json(history or History()),
    }


def record_from_inputs(inputs: JsonObject) -> ExperimentRecord:
    """Returns the experiment as it was when it was decided.

    Raises:
        DataLoss: `inputs` is not what `inputs_of` made.
    """
    return _read(_record, inputs)


def data_from_inputs(inputs: JsonObject) -> ExperimentData:
    """Returns the data that a decision rests on, bit for bit; without the daily cells.

    Raises:
        DataLoss: `inputs` is not what `inputs_of` made.
    """
    return _read(_data, inputs)


def history_from_inputs(inputs: JsonObject) -> History:
    """Returns what came before the decision; nothing for one that was stored before there were such things.

    Raises:
        DataLoss: `inputs` is not what `inputs_of` made.
    """
    return _read(lambda stored: history_from_json(stored["history"]) if "history" in stored else History(), inputs)


def _read(read: Callable[[Any], T], inputs: JsonObject) -> T:
    if inputs.get("format") != FORMAT:
        raise DataLoss(f"the decision's inputs have format {inputs.get('format')!r}; this sortition reads {FORMAT}")
    try:
        return read(inputs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataLoss(f"the decision's inputs are damaged: {type(error).__name__}: {error}") from error


def _record(inputs: Any) -> ExperimentRecord:
    stored = inputs["experiment"]
    started_at = stored["started_at"]
    return ExperimentRecord(
        id=stored["id"],
        spec=validate(ExperimentSpec, stored["spec"]),
        status=ExperimentStatus(stored["status"]),
        revision=stored["revision"],
        created_at=datetime.fromisoformat(stored["created_at"]),
        started_at=None if started_at is None else datetime.fromisoformat(started_at),
        allocations=tuple(
            AllocationRecord(allocation["generation"], tuple((end, index) for end, index in allocation["ranges"]))
            for allocation in stored["allocations"]
        ),
    )


def _data(inputs: Any) -> ExperimentData:
    return ExperimentData(
        units=np.array(inputs["units"], dtype=np.int64),
        units_by_day=_by_day(inputs["units_by_day"]),
        cells={(cell["variant"], cell["metric"]): _cell_from_json(cell["parts"]) for cell in inputs["cells"]},
        daily={},
        crossed=inputs.get("crossed", 0),
        outcomes_by_day=_by_day(inputs.get("outcomes_by_day", {})),
        levels={
            (cell["variant"], cell["metric"], cell["level"]): _cell_from_json(cell["parts"])
            for cell in inputs.get("levels", ())
        },
        periods={
            (cell["variant"], cell["metric"], cell["generation"]): _cell_from_json(cell["parts"])
            for cell in inputs.get("periods", ())
        },
        units_by_period=_by_day(inputs.get("units_by_period", {})),
    )


def _by_day(stored: Any) -> dict[int, NDArray[np.int64]]:
    return {int(day): np.array(counts, dtype=np.int64) for day, counts in stored.items()}


def _cell_to_json(cell: Cell) -> JsonObject:
    n, mean, m2, low, high, refused, clamped, late, buckets, sketch = cell.parts()
    return {
        "n": n,
        "mean": mean.hex(),
        "m2": m2.hex(),
        "min": None if low is None else low.hex(),
        "max": None if high is None else high.hex(),
        "refused": refused,
        "clamped": clamped,
        "late": late,
        "buckets": base64.b64encode(buckets).decode(),
        "sketch": None if sketch is None else base64.b64encode(sketch).decode(),
    }


def _cell_from_json(parts: Any) -> Cell:
    low, high, sketch = parts["min"], parts["max"], parts["sketch"]
    return Cell.from_parts(
        parts["n"],
        # Hexadecimal: canonical JSON writes 2.0 as 2 and forgets the sign of zero.
        float.fromhex(parts["mean"]),
        float.fromhex(parts["m2"]),
        None if low is None else float.fromhex(low),
        None if high is None else float.fromhex(high),
        parts["refused"],
        parts["clamped"],
        parts["late"],
        base64.b64decode(parts["buckets"], validate=True),
        None if sketch is None else base64.b64decode(sketch, validate=True),
    )
