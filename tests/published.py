"""The published data in tests/data, as arrays."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["column", "nsw", "thornton"]

_DATA = Path(__file__).parent / "data"


def column(file: str, name: str) -> NDArray[np.float64]:
    """Returns one column of a file."""
    with (_DATA / file).open(newline="", encoding="utf-8") as rows:
        return np.array([float(row[name]) for row in csv.DictReader(rows)])


def nsw() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the earnings of 1978: 260 controls, 185 treated."""
    treat, earnings = column("nsw_mixtape.csv", "treat"), column("nsw_mixtape.csv", "re78")
    return earnings[treat == 0], earnings[treat == 1]


def thornton() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns who learned the result: 623 without an incentive, 2,211 with one."""
    incentive, learned = column("thornton_hiv.csv", "any"), column("thornton_hiv.csv", "got")
    return learned[incentive == 0], learned[incentive == 1]
