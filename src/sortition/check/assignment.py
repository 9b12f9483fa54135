"""Whether lots are drawn fairly on this machine."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sortition.check.finding import Failed, Probe
from sortition.core import BUCKETS, UNIT_BUCKETS, allocate, bucket, unit_bucket
from sortition.stats import holm
from sortition.stats.distributions import chi_square_sf

__all__ = ["probes"]

_AREA = "assignment"
_EXPERIMENTS = 16
_UNITS = 50_000
_HASHED = 2_000
# The ids are always the same ones, so a fair hash passes always or never; it does, with room to spare.
_LEVEL = 1e-4
_CLASSES = 100
_PAIR_CLASSES = 10
_WEIGHTS = ((5_000, 5_000), (3_300, 3_300, 3_400), (1, 9_999), (10_000, 0), (9_000, 500, 499, 1))


def probes() -> Iterator[Probe]:
    """Yields the checks of assignment."""
    drawn: dict[str, NDArray[np.int64]] = {}

    def buckets() -> dict[str, NDArray[np.int64]]:
        if not drawn:
            # Names as alike as people make them: a weak hash draws the same lots for all of them.
            for number in range(_EXPERIMENTS):
                name = f"experiment-{number}"
                draws = (bucket(name, f"user-{unit}") for unit in range(_UNITS))
                drawn[name] = np.fromiter(draws, dtype=np.int64, count=_UNITS)
        return drawn

    yield Probe(_AREA, "hash", _hash)
    yield Probe(_AREA, "weights", _weights)
    yield Probe(_AREA, "uniform", lambda: _uniform(buckets()))
    yield Probe(_AREA, "independent", lambda: _independent(buckets()))
    yield Probe(_AREA, "groups of units", _groups)


def _hash() -> str:
    ids = [*(f"unit-{number}" for number in range(_HASHED)), "", "ä", "名前", "a" * 512, "with:colon", "\x00"]
    for unit in ids:
        digest = hashlib.sha256(f"check:{unit}".encode()).digest()
        expected = int.from_bytes(digest[:4], "big") % BUCKETS
        if (found := bucket("check", unit)) != expected:
            raise Failed(
                f"unit {unit[:40]!r} falls into bucket {found}, but SHA-256 says {expected}; reinstall sortition"
            )
    return f"{len(ids):,} units fall where Python's own SHA-256 says"


def _weights() -> str:
    for weights in _WEIGHTS:
        counts = [0] * len(weights)
        for place in range(BUCKETS):
            counts[allocate(weights, place)] += 1
        if counts != list(weights):
            raise Failed(f"weights {weights} give variants {counts} of {BUCKETS:,} buckets; reinstall sortition")
    return f"{len(_WEIGHTS)} splits give every variant exactly its share of {BUCKETS:,} buckets"


def _uniform(drawn: dict[str, NDArray[np.int64]]) -> str:
    values = []
    for draws in drawn.values():
        counts = np.bincount(draws * _CLASSES // BUCKETS, minlength=_CLASSES)
        values.append(_p_uniform(counts.astype(np.float64)))
    p = float(holm(values).min())
    if p < _LEVEL:
        raise Failed(f"units are not spread evenly over buckets (p = {p:.1e} over {len(drawn)} experiments)")
    return f"{len(drawn)} experiments of {_UNITS:,} units are spread evenly (smallest corrected p = {p:.2g})"


def _independent(drawn: dict[str, NDArray[np.int64]]) -> str:
    values, largest = [], 0.0
    for one, other in itertools.combinations(drawn.values(), 2):
        classes = (one * _PAIR_CLASSES // BUCKETS) * _PAIR_CLASSES + other * _PAIR_CLASSES // BUCKETS
        table = np.bincount(classes, minlength=_PAIR_CLASSES**2).reshape(_PAIR_CLASSES, -1).astype(np.float64)
        values.append(_p_independent(table))
        largest = max(largest, abs(float(np.corrcoef(one, other)[0, 1])))
    p = float(holm(values).min())
    if p < _LEVEL:
        raise Failed(f"experiments draw related lots (p = {p:.1e} over {len(values)} pairs, correlation {largest:.3f})")
    return f"{len(values)} pairs of like-named experiments are independent (largest correlation {largest:.3f})"


def _groups() -> str:
    """The variance is estimated from groups of units: they must know nothing about variants."""
    places = np.array([(bucket("check", f"u{unit}"), *unit_bucket("check", f"u{unit}")) for unit in range(_UNITS)])
    variants = places[:, 0] * 2 // BUCKETS
    table = np.bincount(places[:, 1] * 2 + variants, minlength=2 * UNIT_BUCKETS).reshape(-1, 2).astype(np.float64)
    values = [_p_uniform(table.sum(axis=1)), _p_independent(table)]
    p = float(holm(values).min())
    if p < _LEVEL:
        raise Failed(f"groups of units are uneven or depend on the variant (p = {p:.1e}); reinstall sortition")
    return f"{UNIT_BUCKETS} groups of units are even and know nothing about variants (smallest corrected p = {p:.2g})"


def _p_uniform(counts: NDArray[np.float64]) -> float:
    expected = counts.sum() / counts.size
    return float(chi_square_sf(((counts - expected) ** 2 / expected).sum(), counts.size - 1))


def _p_independent(table: NDArray[np.float64]) -> float:
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    df = (table.shape[0] - 1) * (table.shape[1] - 1)
    return float(chi_square_sf(((table - expected) ** 2 / expected).sum(), df))
