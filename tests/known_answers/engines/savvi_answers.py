"""savvi, an independent implementation of Lindon and Malek's sequential test of a split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from savvi.multinomial import Multinomial

PACKAGE = "savvi"

Question = dict[str, Any]
Figures = dict[str, float]


def srm_sequential(q: Question) -> Figures:
    test = Multinomial(0.05, np.array(q["weights"]), k=q["concentration"])
    test.update(np.array(q["units"]))
    return {"e_value": float(test.odds), "p_value": min(1.0, float(test.calculate_p_value()))}


ANSWERS: dict[str, Callable[[Question], Figures]] = {"srm_sequential": srm_sequential}
