"""What a decision rests on survives being stored, to the last bit."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from sortition.analyzer.analyze import analyze
from sortition.core import Cell
from sortition.errors import DataLoss
from sortition.lifecycle import data_from_inputs, inputs_of
from sortition.lifecycle.decision import record_from_inputs
from sortition.model import ExperimentStatus, JsonValue, canonical_json
from sortition.store.records import ExperimentData, ExperimentRecord
from unit.lifecycle.world import World


def filled(values: list[float], *, quantiles: bool = False) -> Cell:
    cell = Cell(quantiles=quantiles)
    cell.add_many("id-1", [f"u{number}" for number in range(len(values))], values)
    return cell


@pytest.fixture
def record(world: World) -> ExperimentRecord:
    metrics = [
        {"name": "t", "kind": "duration", "goal": "minimize", "role": "primary"},
        {"name": "n", "kind": "continuous", "goal": "maximize"},
    ]
    return world.standing(ExperimentStatus.RUNNING, metrics=metrics)


@pytest.fixture
def data() -> ExperimentData:
    return ExperimentData(
        units=np.array([60, 61], dtype=np.int64),
        units_by_day={20_513: np.array([20, 30]), 20_514: np.array([40, 31])},
        cells={
            (0, 0): filled([1.1 + number / 7 for number in range(60)], quantiles=True),
            (1, 0): filled([0.9 + number / 9 for number in range(61)], quantiles=True),
            # Integral, negative zero, tiny and huge: what canonical JSON alone would change or could not tell.
            (0, 1): filled([2.0, -0.0, 5e-324, 1e99]),
            (1, 1): filled([-0.0]),
        },
        daily={},
    )


def bits(cell: Cell) -> list[object]:
    return [struct.pack("<d", part) if isinstance(part, float) else part for part in cell.parts()]


def test_the_data_come_back_bit_for_bit(record: ExperimentRecord, data: ExperimentData) -> None:
    stored = json.loads(canonical_json(inputs_of(record, data)))
    again = data_from_inputs(stored)
    assert again.units.dtype == np.int64
    assert again.units.tolist() == data.units.tolist()
    assert {day: units.tolist() for day, units in again.units_by_day.items()} == {20_513: [20, 30], 20_514: [40, 31]}
    assert {key: bits(cell) for key, cell in again.cells.items()} == {
        key: bits(cell) for key, cell in data.cells.items()
    }


def test_the_experiment_comes_back_as_it_was(record: ExperimentRecord, data: ExperimentData) -> None:
    """All that the analysis reads; what was registered is stored beside it, and binds itself by its own hash."""
    back = record_from_inputs(json.loads(canonical_json(inputs_of(record, data))))
    assert back == replace(record, registration=None)


def test_the_same_analysis_follows(world: World, record: ExperimentRecord, data: ExperimentData) -> None:
    stored = json.loads(canonical_json(inputs_of(record, data)))
    first = analyze(record, data, world.now)
    assert first.comparisons
    assert repr(analyze(record_from_inputs(stored), data_from_inputs(stored), world.now)) == repr(first)


def test_another_format_is_not_guessed_at(record: ExperimentRecord, data: ExperimentData) -> None:
    with pytest.raises(DataLoss, match="have format 2; this sortition reads 1"):
        data_from_inputs({**inputs_of(record, data), "format": 2})
    with pytest.raises(DataLoss, match="have format None"):
        record_from_inputs({})


@pytest.mark.parametrize("missing", ["units", "units_by_day", "cells"])
def test_damaged_data_are_told_apart_from_a_defect(
    record: ExperimentRecord, data: ExperimentData, missing: str
) -> None:
    stored = inputs_of(record, data)
    damages: list[JsonValue] = [None, "x", [1, {"variant": 0}]]
    for damaged in damages:
        with pytest.raises(DataLoss, match="damaged"):
            data_from_inputs({**stored, missing: damaged})
    del stored[missing]
    with pytest.raises(DataLoss, match=f"damaged: KeyError: '{missing}'"):
        data_from_inputs(stored)


def test_a_damaged_experiment_too(record: ExperimentRecord, data: ExperimentData) -> None:
    stored = inputs_of(record, data)
    damages: list[JsonValue] = [None, {}, {"id": 1}]
    for damaged in damages:
        with pytest.raises(DataLoss, match="damaged"):
            record_from_inputs({**stored, "experiment": damaged})
