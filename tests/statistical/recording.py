"""Experiments as the store holds them: every observation goes through a real cell of one of two sidecars and is merged.

An arm's observations are spread over the days in their order; each day's are taken by two sidecars, whose cells are
merged, and the days' cells are merged into the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sortition.core import UNIT_BUCKETS, Cell
from statistical.populations import Arm

__all__ = ["DAYS", "SIDECARS", "Held", "Lists", "cells_of", "distinct", "empty", "hold", "lists", "rows"]

DAYS = 5
SIDECARS = 2
_POOL = 1 << 20


@dataclass(frozen=True)
class Lists:
    """One arm of one experiment, as a cell takes it: one entry for each observation."""

    names: list[str]
    values: list[float]
    weights: list[float] | None
    covariates: list[float] | None

    def part(self, start: int, end: int) -> Lists:
        """Returns the observations from `start` to before `end`."""
        return Lists(
            self.names[start:end],
            self.values[start:end],
            self.weights and self.weights[start:end],
            self.covariates and self.covariates[start:end],
        )

    def put(self, cell: Cell, experiment: str) -> None:
        """Adds all of it to a cell."""
        if self.weights is None and self.covariates is None:
            cell.add_many(experiment, self.names, self.values)
            return
        weights = self.weights or [1.0] * len(self.names)
        covariates: list[float] | list[None] = self.covariates or [None] * len(self.names)
        for name, value, weight, covariate in zip(self.names, self.values, weights, covariates, strict=True):
            cell.add(experiment, name, value, weight, covariate)


@cache
def _pool(arm: int) -> tuple[list[str], NDArray[np.object_]]:
    """Returns names of units that no other arm has. All experiments share them: each salts their hashes."""
    names = [f"{'ct'[arm]}{index}" for index in range(_POOL)]
    return names, np.array(names, dtype=object)


def lists(arm: Arm, place: int, covariates: bool) -> Iterator[Lists]:
    """Yields each experiment of an arm; `place` is 0 for the control and 1 for the treatment."""
    names, array = _pool(place)
    size = arm.values.shape[1]
    for run, values in enumerate(arm.values.tolist()):
        yield Lists(
            names[:size] if arm.units is None else array[arm.units[run]].tolist(),
            values,
            None if arm.weights is None else arm.weights[run].tolist(),
            arm.covariates[run].tolist() if covariates else None,
        )


def distinct(arm: Arm) -> NDArray[np.int64]:
    """Returns the distinct units of each experiment."""
    if arm.units is None:
        return np.full(len(arm.values), arm.values.shape[1], dtype=np.int64)
    ordered = np.sort(arm.units, axis=1)
    return np.asarray(1 + (np.diff(ordered, axis=1) != 0).sum(axis=1), dtype=np.int64)


def empty(like: Lists, quantiles: bool) -> Cell:
    """Makes a cell that takes such observations."""
    return Cell(quantiles=quantiles, covariate=like.covariates is not None)


def cells_of(experiment: str, observed: Lists, quantiles: bool) -> tuple[list[Cell], Cell]:
    """Returns the cell of each day, and the whole."""
    places = DAYS * SIDECARS
    bounds = [len(observed.names) * place // places for place in range(places + 1)]
    parts = []
    for start, end in pairwise(bounds):
        cell = empty(observed, quantiles)
        observed.part(start, end).put(cell, experiment)
        parts.append(cell)
    days = [parts[day * SIDECARS].merge(parts[day * SIDECARS + 1]) for day in range(DAYS)]
    whole = days[0]
    for cell in days[1:]:
        whole = whole.merge(cell)
    return days, whole


@dataclass(frozen=True)
class Held:
    """What the cells of one arm hold, of many experiments (or looks at them): leading dimensions are theirs.

    Attributes:
        n: Observations.
        mean: Their mean.
        m2: The sum of squared deviations from it.
        sums: Shape (..., 128, 3): denominator, sum and the covariate's sum of each bucket of units.
    """

    n: NDArray[np.float64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    sums: NDArray[np.float64]


def hold(shape: tuple[int, ...]) -> Held:
    """Makes room for that many cells."""
    return Held(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros((*shape, UNIT_BUCKETS, 3)))


def rows(held: Held, place: tuple[int, ...], cell: Cell) -> None:
    """Keeps what one cell holds."""
    held.n[place], held.mean[place], held.m2[place] = cell.n, cell.mean, cell.m2
    sums = np.frombuffer(cell.buckets, dtype="<f8").reshape(UNIT_BUCKETS, -1)
    held.sums[place][:, : sums.shape[1]] = sums
