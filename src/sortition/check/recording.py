"""Whether what is recorded is what is analyzed: the whole way through a sidecar's parts, with a state of its own."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy import stats as scipy_stats

from sortition.analyzer.result import AnalysisResult
from sortition.check.finding import Failed, Probe
from sortition.core import UNIT_BUCKETS, Cell, Engine, unit_bucket
from sortition.flusher import Flusher
from sortition.lifecycle import Actor, Experiments, SnapshotKeeper
from sortition.locations import database_file
from sortition.model import ExperimentSpec, validate
from sortition.rpc.v1 import assignment_pb2, recording_pb2
from sortition.store import BatchWriter, Database, cells, sqlite_url
from sortition.store.records import ExperimentData, ExperimentRecord

__all__ = ["probes"]

_AREA = "recording"
_UNITS = 2_000
_FLUSHES = 4
_EXPERIMENT = "check"
_METRICS = ("score", "success")
_VARIANTS = ("old", "new")
_CLIENT = b"check"


@dataclass
class _Told:
    """What the agent knows: every value in exact fractions, by variant and unit."""

    values: dict[str, dict[str, dict[str, Fraction]]] = field(
        default_factory=lambda: {metric: {variant: {} for variant in _VARIANTS} for metric in _METRICS}
    )
    observations: int = 0

    def of(self, metric: str, variant: str) -> list[Fraction]:
        return list(self.values[metric][variant].values())


@dataclass(frozen=True)
class _Round:
    """One round trip: what was told, and what came out."""

    told: _Told
    record: ExperimentRecord
    data: ExperimentData
    result: AnalysisResult
    resent: int


def probes() -> Iterator[Probe]:
    """Yields the checks of recording."""
    made: list[_Round] = []

    def round_trip() -> _Round:
        if not made:
            with tempfile.TemporaryDirectory(prefix="sortition-check-") as folder:
                made.append(_round_trip(Path(folder)))
        return made[0]

    yield Probe(_AREA, "round trip", lambda: _counts(round_trip()))
    yield Probe(_AREA, "sums", lambda: _sums(round_trip()))
    yield Probe(_AREA, "analysis", lambda: _analysis(round_trip()))


def _spec() -> ExperimentSpec:
    return validate(
        ExperimentSpec,
        {
            "key": _EXPERIMENT,
            "subject": {"kind": "agent", "id": _EXPERIMENT},
            "metrics": [
                {"name": "score", "kind": "continuous", "goal": "maximize", "role": "primary"},
                {"name": "success", "kind": "binary", "goal": "maximize"},
            ],
            "variants": [
                {"name": name, "weight": 50, "control": name == _VARIANTS[0], "config": {}} for name in _VARIANTS
            ],
            "decision": {"min_samples": _UNITS, "policy": "fixed_horizon"},
        },
    )


def _round_trip(folder: Path) -> _Round:
    """Records, flushes in the middle, loses the process in the middle, sends again, and analyzes."""
    told = _Told()
    identity = os.urandom(16)
    with closing(Database.open(sqlite_url(database_file(folder)))) as db:

        def started() -> tuple[Engine, Flusher, Experiments]:
            engine = Engine(unit_key=db.installation_key, log_dir=folder / "log", log_identity=identity)
            keeper = SnapshotKeeper(db, engine, folder / "snapshot")

            def changed() -> None:
                keeper.refresh()

            changed()
            flusher = Flusher(engine, BatchWriter(db, "check"))
            experiments = Experiments(db, flush=flusher.flush, changed=changed, now=lambda: datetime.now(timezone.utc))
            return engine, flusher, experiments

        engine, flusher, experiments = started()
        actor = Actor("check", "checks the installation")
        experiments.create(_spec(), actor)
        record = experiments.start("default", _EXPERIMENT, actor)
        resent = 0
        per_flush = _UNITS // _FLUSHES
        for number in range(_UNITS):
            request = _use(engine, f"unit-{number}", number, told)
            if number % 7 == 0:
                _record(engine, request, again=True)
                resent += 1
            if number % per_flush == per_flush // 2:
                flusher.flush()
            if number == _UNITS * 2 // 3:
                # What the log holds and the database lacks has to come back; what both have must not come twice.
                engine.close()
                engine, flusher, experiments = started()
                _record(engine, request, again=True)
                resent += 1
        flusher.stop(10.0)
        result = experiments.analyze("default", _EXPERIMENT)
        with db.read() as tx:
            data = cells.experiment_data(tx, record)
        engine.close()
    return _Round(told, record, data, result, resent)


def _use(engine: Engine, unit: str, number: int, told: _Told) -> recording_pb2.RecordRequest:
    """Does what an agent does with one unit; returns what it recorded."""
    asked = assignment_pb2.AssignRequest(experiment=_EXPERIMENT, unit=unit).SerializeToString()
    variant = assignment_pb2.AssignResponse.FromString(engine.assign(asked)).variant
    # In eighths, so that every sum is exact; spread, and better for the treatment.
    score = Fraction(number * 7919 % 4001 - 2000, 8) + (40 if variant == _VARIANTS[1] else 0)
    success = number % 3 == 0
    told.values["score"][variant][unit] = score
    told.values["success"][variant][unit] = Fraction(int(success))
    told.observations += 2
    request = recording_pb2.RecordRequest(
        outcome=recording_pb2.Outcome(experiment=_EXPERIMENT, unit=unit, variant=variant),
        delivery=recording_pb2.Delivery(client=_CLIENT, seq=number + 1, oldest_pending=max(1, number - 200)),
    )
    request.outcome.observations.add(metric="score", number=float(score))
    request.outcome.observations.add(metric="success", flag=success)
    _record(engine, request)
    return request


def _record(engine: Engine, request: recording_pb2.RecordRequest, *, again: bool = False) -> None:
    answer = recording_pb2.RecordResponse.FromString(engine.record(request.SerializeToString()))
    if answer.duplicate != again or (not again and answer.accepted != 2):
        what = "a call that came again was counted again" if again else "a call was not counted"
        raise Failed(f"{what} ({request.outcome.unit})")


def _counts(done: _Round) -> str:
    units = done.data.units.tolist()
    told = [len(done.told.of("score", variant)) for variant in _VARIANTS]
    if units != told or done.data.crossed:
        raise Failed(f"{told} units were assigned to the variants, {units} are stored, {done.data.crossed} in several")
    stored = sum(cell.n for cell in done.data.cells.values())
    if stored != done.told.observations:
        raise Failed(f"{done.told.observations:,} values were acknowledged, {stored:,} are stored")
    story = f"{_FLUSHES} flushes, {done.resent} calls sent again, and a restart in the middle"
    return f"{stored:,} values of {sum(told):,} units are stored, each once, after {story}"


def _each(done: _Round) -> Iterator[tuple[str, str, Cell]]:
    for index, variant in enumerate(_VARIANTS):
        for metric_index, metric in enumerate(_METRICS):
            yield metric, variant, done.data.cells[index, metric_index]


def _sums(done: _Round) -> str:
    """Eighths sum without rounding, so everything but a mean and a sum of squares is right to the last bit."""
    for metric, variant, cell in _each(done):
        values = done.told.values[metric][variant]
        expected = np.zeros((UNIT_BUCKETS, 2))
        for unit, value in values.items():
            expected[unit_bucket(done.record.id, unit)[0]] += (1.0, float(value))
        if expected.astype("<f8").tobytes() != cell.buckets:
            raise Failed(f"{metric} of {variant}: the sums over groups of units are not those that were recorded")
        exact = list(values.values())
        mean = sum(exact) / len(exact)
        squares = sum((value - mean) ** 2 for value in exact)
        if (cell.n, cell.min, cell.max) != (len(exact), float(min(exact)), float(max(exact))):
            raise Failed(f"{metric} of {variant}: n, the smallest or the largest value is not what was recorded")
        for name, found, right in (("mean", cell.mean, mean), ("sum of squares", cell.m2, squares)):
            if not math.isclose(found, float(right), rel_tol=1e-12, abs_tol=1e-12):
                raise Failed(f"{metric} of {variant}: the {name} is {found!r} instead of {float(right)!r}")
    return f"{len(_METRICS) * len(_VARIANTS)} cells hold what exact fractions say"


def _analysis(done: _Round) -> str:
    control, treated = ([float(value) for value in done.told.of("score", variant)] for variant in _VARIANTS)
    right = scipy_stats.ttest_ind(treated, control, equal_var=False)
    interval = right.confidence_interval(done.result.confidence)
    found = next(one for one in done.result.comparisons if one.metric == "score" and one.quantile is None)
    figures: tuple[tuple[str, float, float], ...] = (
        ("difference", found.difference, float(np.mean(treated) - np.mean(control))),
        ("p-value", found.p_value, float(right.pvalue)),
        ("lower end", found.interval.lower, float(interval.low)),
        ("upper end", found.interval.upper, float(interval.high)),
    )
    for name, value, expected in figures:
        if not math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12):
            raise Failed(f"the {name} is {value!r}, SciPy on the raw values says {expected!r}")
    if done.result.units != _UNITS:
        raise Failed(f"the analysis counts {done.result.units} of {_UNITS} units")
    return f"{found.method} on what is stored says what SciPy says on the raw values"
