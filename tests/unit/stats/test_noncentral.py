"""The noncentral t by the definition, integrated another way."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.stats.noncentral import exceeding


@pytest.mark.parametrize(
    ("shift", "df", "border"),
    [(0.0, 1, 3.0), (2.0, 1, 12.7), (0.5, 3, 40.0), (2.8, 30, 2.04), (100.0, 2, 60.0), (30.0, 4, 25.0), (9.0, 8, 11.0)],
)
def test_the_definition_over_the_normal_part(shift: float, df: int, border: float) -> None:
    """P(|Z + shift| > c·√(V/df)) = ∫ phi(z)·P(V < df·((z + shift)/c)²) dz in 20 digits."""
    with mp.workdps(20):
        expected = mp.quad(
            lambda z: (
                mp.npdf(z)
                * mp.gammainc(mp.mpf(df) / 2, 0, mp.mpf(df) / 2 * ((z + shift) / border) ** 2, regularized=True)
            ),
            sorted({-12, -6, -3, -1, 0, 1, 3, 6, 12} | ({-shift} if shift < 12 else set())),
        )
    found = exceeding(shift, df, border)
    assert float(found) == pytest.approx(float(expected), rel=1e-7, abs=0)


@pytest.mark.parametrize("df", [10.0, 1e3, 1e6, 1e9])
def test_as_scipy_where_scipy_answers(df: float) -> None:
    found = exceeding([0.5, 3.0], df, 2.0)
    expected = scipy_stats.nct.sf(2.0, df, [0.5, 3.0]) + scipy_stats.nct.cdf(-2.0, df, [0.5, 3.0])
    assert found.tolist() == pytest.approx(np.asarray(expected).tolist(), rel=1e-7)


def test_unknown_stays_unknown() -> None:
    assert np.isnan(exceeding(np.nan, 5.0, 2.0))
