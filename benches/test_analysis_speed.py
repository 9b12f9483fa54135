"""The methods on 1,000 experiments of 30 comparisons, beside NumPy by hand and gbstats; and reading 10,000 cells."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import special
from sqlalchemy import insert

from oracles import PYTHON as ORACLES
from sortition.model import ExperimentSpec, validate
from sortition.stats import Moments, asymptotic_cs, welch_t
from sortition.store import Database, ExperimentRecord, sqlite_url
from sortition.store.cell_rows import CellKey, row_of
from sortition.store.cells import experiment_data
from sortition.store.schema import cells
from store_samples import make_cell, make_record, store
from table import Table

EXPERIMENTS, COMPARISONS = 1000, 30
ROUNDS, TIMES = 7, 5
ONE_BY_ONE = 300
VARIANTS, METRICS, DAYS = 10, 10, 100
ALPHA = 0.05
# The paper's scale for 5,000 planned units; ρ.
RHO = float(np.sqrt((-2 * np.log(ALPHA) + np.log(1 - 2 * np.log(ALPHA))) / 5000))

Array = NDArray[np.float64]


def computed(work: Callable[[], object]) -> float:
    """Returns milliseconds of the processor per call: all of it is one thread's, whatever else runs."""
    begin = time.process_time()
    for _ in range(TIMES):
        work()
    return (time.process_time() - begin) * 1000 / TIMES


def timed(work: Callable[[], object]) -> float:
    """Returns milliseconds on the clock."""
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def arms() -> tuple[Moments, Moments]:
    chance = np.random.default_rng(1)
    shape = (EXPERIMENTS, COMPARISONS)
    return (
        Moments.of(chance.integers(50, 5000, shape), chance.normal(10, 0.1, shape), chance.uniform(1, 9, shape)),
        Moments.of(chance.integers(50, 5000, shape), chance.normal(10, 0.1, shape), chance.uniform(1, 9, shape)),
    )


def welch_by_hand(control: Moments, treatment: Moments) -> tuple[Array, Array, Array, Array]:
    """Returns difference, p and interval: the textbook's formulas, without any care for what goes wrong."""
    first, second = control.variance / control.n, treatment.variance / treatment.n
    error = np.sqrt(first + second)
    df = (first + second) ** 2 / (first**2 / (control.n - 1) + second**2 / (treatment.n - 1))
    difference = treatment.mean - control.mean
    p = 2 * special.stdtr(df, -np.abs(difference / error))
    half = special.stdtrit(df, 0.975) * error
    return difference, p, difference - half, difference + half


def sequential_by_hand(difference: Array, error: Array, n: Array) -> tuple[Array, Array, Array]:
    """Returns interval and p as the paper writes them."""
    spread = n * RHO**2
    half = np.sqrt(2 * (spread + 1) / spread * np.log(np.sqrt(spread + 1) / ALPHA)) * error
    p = np.minimum(1, np.sqrt(spread + 1) * np.exp(-((difference / error) ** 2) * spread / (2 * (spread + 1))))
    return difference - half, difference + half, p


def sequential_by_hand_with_t(difference: Array, error: Array, n: Array, df: Array) -> tuple[Array, Array, Array]:
    """Returns the same with the bound carried over to Student's t, by SciPy's functions."""
    spread = n * RHO**2
    z = np.sqrt(2 * (spread + 1) / spread * np.log(np.sqrt(spread + 1) / ALPHA))
    half = -special.stdtrit(df, special.ndtr(-z)) * error
    score = special.ndtri(special.stdtr(df, -np.abs(difference / error)))
    p = np.minimum(1, np.sqrt(spread + 1) * np.exp(-(score**2) * spread / (2 * (spread + 1))))
    return difference - half, difference + half, p


@pytest.fixture(scope="module")
def gbstats() -> list[float]:
    """Milliseconds that gbstats takes for all comparisons: Welch, sequential. Measured on some of them."""
    if not ORACLES.exists():
        pytest.skip("make oracles installs gbstats")
    command = [str(ORACLES), str(Path(__file__).with_name("gbstats_loop.py")), str(ONE_BY_ONE)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [float(line) * EXPERIMENTS * COMPARISONS * 1000 for line in run.stdout.split()]


def beside(
    benchmark: BenchmarkFixture,
    table: Table,
    name: str,
    ours: Callable[[], object],
    by_hand: Callable[[], object],
    gbstats: float,
) -> None:
    mine: list[float] = []
    theirs: list[float] = []

    def one_round() -> None:
        mine.append(computed(ours))
        theirs.append(computed(by_hand))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1, warmup_rounds=1)
    work = f"{name}, {EXPERIMENTS * COMPARISONS:,} comparisons"
    table.add(work, mine, "NumPy by hand", theirs, unit="ms", target="≤ 3", headline=work.startswith("Welch"))
    table.add(
        work,
        mine,
        "gbstats, one by one",
        [gbstats] * len(mine),
        unit="ms",
        target="≤ 0.01",
        headline=work.startswith("Welch"),
    )


def test_welch(benchmark: BenchmarkFixture, table: Table, gbstats: list[float]) -> None:
    control, treatment = arms()
    found, expected = welch_t(control, treatment), welch_by_hand(control, treatment)
    np.testing.assert_allclose(found.p_value, expected[1], rtol=1e-9)
    np.testing.assert_allclose(found.upper, expected[3], rtol=1e-9)
    beside(
        benchmark,
        table,
        "Welch's t and interval",
        lambda: welch_t(control, treatment),
        lambda: welch_by_hand(control, treatment),
        gbstats[0],
    )


def test_sequential(benchmark: BenchmarkFixture, table: Table, gbstats: list[float]) -> None:
    control, treatment = arms()
    found = welch_t(control, treatment)
    n = control.n + treatment.n
    parts = (found.difference, found.standard_error, n)
    expected = sequential_by_hand(*parts)
    np.testing.assert_allclose(asymptotic_cs(*parts, rho=RHO).upper, expected[1], rtol=1e-9)
    beside(
        benchmark,
        table,
        "confidence sequence",
        lambda: asymptotic_cs(*parts, rho=RHO),
        lambda: sequential_by_hand(*parts),
        gbstats[1],
    )


def test_sequential_with_t(benchmark: BenchmarkFixture, table: Table, gbstats: list[float]) -> None:
    control, treatment = arms()
    found = welch_t(control, treatment)
    parts = (found.difference, found.standard_error, control.n + treatment.n)
    expected = sequential_by_hand_with_t(*parts, found.df)
    ours = asymptotic_cs(*parts, rho=RHO, df=found.df)
    np.testing.assert_allclose(ours.upper, expected[1], rtol=1e-9)
    np.testing.assert_allclose(ours.p_value, expected[2], rtol=1e-9)
    beside(
        benchmark,
        table,
        "confidence sequence with Student's t",
        lambda: asymptotic_cs(*parts, rho=RHO, df=found.df),
        lambda: sequential_by_hand_with_t(*parts, found.df),
        gbstats[1],
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, ExperimentRecord]]:
    """A database with the cells of one long experiment."""
    metrics = [
        {"name": f"metric-{i}", "kind": "continuous", "goal": "minimize", "role": "secondary" if i else "primary"}
        for i in range(METRICS)
    ]
    variants: list[dict[str, Any]] = [
        {"name": f"variant-{i}", "weight": 100 / VARIANTS, "control": i == 0, "config": {}} for i in range(VARIANTS)
    ]
    template = make_record()
    spec = {**template.spec.model_dump(mode="json"), "metrics": metrics, "variants": variants}
    record = ExperimentRecord(
        template.id, validate(ExperimentSpec, spec), template.status, template.revision, template.created_at
    )
    chance = np.random.default_rng(2)
    samples = [make_cell(record.id, chance.normal(10, 2, 200).tolist()) for _ in range(METRICS)]
    rows = [
        row_of(CellKey(record.id, variant, metric, 20_000 + day), 1, samples[metric])
        for variant in range(VARIANTS)
        for metric in range(METRICS)
        for day in range(DAYS)
    ]
    db = Database.open(sqlite_url(tmp_path_factory.mktemp("cells") / "sortition.db"))
    record = store(db, record)
    with db.write() as tx:
        tx.execute(insert(cells), rows)
    yield db, record
    db.close()


def test_reading_cells(benchmark: BenchmarkFixture, table: Table, stored: tuple[Database, ExperimentRecord]) -> None:
    db, record = stored
    count = VARIANTS * METRICS * DAYS

    def into_arrays() -> tuple[Array, Array]:
        """Returns n, mean and m2 of each cell, and its sums over buckets."""
        with db.read() as tx:
            held = list(experiment_data(tx, record).daily.values())
        moments = np.array([(cell.n, cell.mean, cell.m2) for cell in held])
        return moments, np.frombuffer(b"".join([cell.buckets for cell in held])).reshape(len(held), -1, 2)

    def only_rows() -> None:
        with db.read() as tx:
            assert len(tx.execute(cells.select().where(cells.c.experiment_id == record.id)).all()) == count

    moments, sums = into_arrays()
    assert moments.shape == (count, 3)
    np.testing.assert_allclose(sums.sum(axis=1)[:, 1], moments[:, 0] * moments[:, 1], rtol=1e-9)
    ours: list[float] = []
    plain: list[float] = []

    def one_round() -> None:
        ours.append(timed(into_arrays))
        plain.append(timed(only_rows))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    work = f"reading {count:,} cells from SQLite into arrays"
    table.add(work, ours, "SQLAlchemy, only the rows", plain, unit="ms", target="≤ 150 ms")
