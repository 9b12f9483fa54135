"""What is true: the sum of everything that was acknowledged, in whole numbers, and how the database differs from it."""

from __future__ import annotations

import struct
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import select

from sortition.core import BUCKETS, SUB_SKETCHES, UNIT_BUCKETS, Cell, exposure_hash, sketch_bins, unit_bucket
from sortition.store import Database
from sortition.store.cell_rows import CellKey, cell_of, key_of, select_cells
from sortition.store.schema import exposures

__all__ = ["Exposed", "Observed", "Truth", "Verdict"]

# Doubles hold whole numbers exactly up to here, so their sums are compared without any tolerance.
_EXACT = 2**53
# The mean is kept as a running one.
_RELATIVE = 1e-9


@dataclass(frozen=True)
class Observed:
    """One acknowledged value; whole numbers only."""

    experiment_id: str
    variant: int
    metric: int
    # None where the sidecar's own clock chose it.
    day: int | None
    unit: str
    value: int
    denominator: int = 1
    covariate: int | None = None
    clamped: bool = False
    sketched: bool = False


@dataclass(frozen=True)
class Exposed:
    """One acknowledged exposure."""

    experiment_id: str
    variant: int
    unit: str


@dataclass
class _Cell:
    """What one cell has to hold."""

    n: int = 0
    clamped: int = 0
    values: int = 0
    least: int | None = None
    most: int | None = None
    # By unit bucket: denominator, sum, sum of the covariate.
    buckets: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    sub_sketches: Counter[int] = field(default_factory=Counter)

    def add(self, observed: Observed) -> None:
        bucket, sub_sketch = unit_bucket(observed.experiment_id, observed.unit)
        self.n += 1
        self.clamped += observed.clamped
        self.values += observed.value
        self.least = observed.value if self.least is None else min(self.least, observed.value)
        self.most = observed.value if self.most is None else max(self.most, observed.value)
        sums = self.buckets[bucket]
        sums[0] += observed.denominator
        sums[1] += observed.value
        sums[2] += observed.covariate or 0
        self.sub_sketches[sub_sketch] += observed.sketched


@dataclass
class Verdict:
    """How a database differs from the truth.

    Attributes:
        observations: How many were compared.
        exposures: How many were compared.
        cells: How many were compared.
        lost: Observations and exposures that were acknowledged and are missing.
        doubled: Observations and exposures that are there more often than they were acknowledged.
        wrong: What differs, in words; not empty whenever something is lost or doubled.
    """

    observations: int = 0
    exposures: int = 0
    cells: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether the database holds the truth and nothing else."""
        return not self.wrong and not self.lost and not self.doubled

    def __str__(self) -> str:
        shown = "; ".join(self.wrong[:4]) + ("; …" if len(self.wrong) > 4 else "")
        seen = f"{self.observations} observations and {self.exposures} exposures in {self.cells} cells"
        return f"{seen}: {self.lost} lost, {self.doubled} doubled" + (f": {shown}" if shown else "")


class Truth:
    """Everything that was acknowledged. Safe to share between threads."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self._lock = threading.Lock()
        self._cells: dict[tuple[str, int, int, int | None], _Cell] = defaultdict(_Cell)
        self._exposed: dict[tuple[str, str], int] = {}
        self._sketched: set[tuple[str, int]] = set()
        self.observations = 0

    def acknowledge(self, observed: Iterable[Observed], exposed: Iterable[Exposed] = ()) -> None:
        """Adds what one call was acknowledged for."""
        with self._lock:
            for each in observed:
                assert abs(each.value) < 2**31, "sums stay exact"
                self._cells[each.experiment_id, each.variant, each.metric, each.day].add(each)
                self.observations += 1
                if each.sketched:
                    self._sketched.add((each.experiment_id, each.metric))
            for one in exposed:
                before = self._exposed.setdefault((one.experiment_id, one.unit), one.variant)
                assert before == one.variant, f"a unit was exposed to variants {before} and {one.variant}"

    def compare(self, database: Database) -> Verdict:
        """Compares all that the database holds, over all its writers."""
        verdict = Verdict(observations=self.observations, exposures=len(self._exposed))
        with self._lock:
            self._compare_cells(_stored_cells(database), verdict)
            self._compare_exposures(database, verdict)
        return verdict

    def _compare_cells(self, stored: dict[CellKey, Cell], verdict: Verdict) -> None:
        # Where the sidecar chose the days, only their sum is known.
        without_day = {(key[0], key[1], key[2]) for key in self._cells if key[3] is None}
        found: dict[tuple[str, int, int, int | None], Cell] = {}
        for key, cell in stored.items():
            place = (key[0], key[1], key[2], None if key[:3] in without_day else key[3])
            before = found.get(place)
            found[place] = cell if before is None else before.merge(cell)
        for place in sorted(self._cells.keys() | found.keys(), key=str):
            verdict.cells += 1
            self._compare_cell(place, self._cells.get(place, _Cell()), found.get(place, Cell()), verdict)

    def _compare_cell(
        self, place: tuple[str, int, int, int | None], expected: _Cell, found: Cell, verdict: Verdict
    ) -> None:
        verdict.lost += max(0, expected.n - found.n)
        verdict.doubled += max(0, found.n - expected.n)
        problems = [
            f"{name} is {is_}, not {should}"
            for name, is_, should in (
                ("n", found.n, expected.n),
                ("clamped", found.clamped, expected.clamped),
                ("refused", found.refused, 0),
                ("late", found.late, 0),
                ("min", found.min, expected.least),
                ("max", found.max, expected.most),
            )
            if is_ != should
        ]
        mean = expected.values / expected.n if expected.n else 0.0
        if abs(found.mean - mean) > _RELATIVE * max(1.0, abs(mean)):
            problems.append(f"mean is {found.mean}, not {mean}")
        different = [
            bucket
            for bucket, sums in enumerate(_sums(found))
            # The third sum is kept only with a covariate.
            if any(a != b for a, b in zip(sums, expected.buckets.get(bucket, (0, 0, 0)), strict=False))
        ]
        if different:
            problems.append(f"the sums of {len(different)} unit buckets differ, the first is {different[0]}")
        if (place[0], place[2]) in self._sketched and found.n:
            counts = _sketched(found)
            if counts != [expected.sub_sketches[index] for index in range(SUB_SKETCHES)]:
                problems.append(f"the sketch holds {sum(counts)} values, not {expected.sub_sketches.total()}")
        if problems:
            verdict.wrong.append(f"cell {place}: {', '.join(problems)}")

    def _compare_exposures(self, database: Database, verdict: Verdict) -> None:
        key = database.installation_key
        expected = {
            (experiment, exposure_hash(key, experiment, unit)): variant
            for (experiment, unit), variant in self._exposed.items()
        }
        columns = exposures.c
        with database.read() as tx:
            rows = tx.execute(select(columns.experiment_id, columns.unit_hash, columns.variant, columns.bucket)).all()
        found = {(row.experiment_id, row.unit_hash): row.variant for row in rows}
        missing, invented = expected.keys() - found.keys(), found.keys() - expected.keys()
        verdict.lost += len(missing)
        verdict.doubled += len(invented) + len(rows) - len(found)
        moved = sum(found[unit] != variant for unit, variant in expected.items() if unit in found)
        if missing or invented or moved or any(not 0 <= row.bucket < BUCKETS for row in rows):
            verdict.wrong.append(
                f"exposures: {len(missing)} are missing, {len(invented)} were never acknowledged, {moved} have another"
                " variant"
            )


def _stored_cells(database: Database) -> dict[CellKey, Cell]:
    merged: dict[CellKey, Cell] = {}
    with database.read() as tx:
        for row in tx.execute(select_cells(CellKey)):
            key, cell = key_of(row, CellKey), cell_of(row, CellKey)
            before = merged.get(key)
            merged[key] = cell if before is None else before.merge(cell)
    return merged


def _sums(cell: Cell) -> list[tuple[float, ...]]:
    raw = cell.buckets
    width = len(raw) // (8 * UNIT_BUCKETS)
    numbers = struct.unpack(f"<{width * UNIT_BUCKETS}d", raw)
    assert all(abs(number) < _EXACT for number in numbers)
    return [numbers[start : start + width] for start in range(0, len(numbers), width)]


def _sketched(cell: Cell) -> list[int]:
    counts = [0] * SUB_SKETCHES
    _, raw = sketch_bins(cell.sketch or b"")
    for index, count in enumerate(struct.unpack(f"={len(raw) // 8}Q", raw)):
        counts[index % SUB_SKETCHES] += count
    return counts
