"""The noncentral t distribution, by quadrature: SciPy's has no answer for small levels."""

from __future__ import annotations

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = ["exceeding"]

# The trapezoidal rule converges exponentially; with so many nodes the error is below 1e-9.
_NODES = 257
# Below exp(-40) of its peak a density adds nothing to 64 bits; the normal density is there at 9.
_DROP, _REACH = 40.0, 9.0
# Where the shift is more than so many times the root of the degrees of freedom, chi is rougher than the normal part.
_ROUGH = 3.0


def exceeding(noncentral: FloatLike, df: FloatLike, border: FloatLike) -> FloatArray:
    """Returns P(|T| > border) of T = (Z + noncentral) / √(V/df) with a normal Z and a chi-square V.

    Source: Johnson, Kotz, Balakrishnan, "Continuous Univariate Distributions", volume 2, 2nd edition, 1995, chapter 31.

    >>> round(float(exceeding(0.0, 10.0, 2.2281388519649385)), 9)
    0.05
    """
    shift, freedom, c = np.broadcast_arrays(floats(noncentral), floats(df), floats(border))
    with np.errstate(all="ignore"):
        rough = shift > _ROUGH * np.sqrt(freedom)
        found = np.where(rough, _over_normal(shift, freedom, c), _over_chi(shift, freedom, c))
    return floats(np.where(np.isnan(shift), np.nan, np.clip(found, 0, 1)))


def _over_chi(shift: FloatArray, df: FloatArray, c: FloatArray) -> FloatArray:
    """Integrates over u = log(V/df), whose density is proportional to exp(df/2·(u - exp(u)))."""
    share = 2 * _DROP / df
    low = -(share + np.sqrt(2 * share))
    high = np.minimum(np.sqrt(2 * share), np.log(2 + 2 * share))
    u = low[..., None] + (high - low)[..., None] * np.linspace(0, 1, _NODES)
    weight = np.exp(df[..., None] / 2 * (u - np.expm1(u)))
    reach = c[..., None] * np.exp(u / 2)
    tails = special.ndtr(shift[..., None] - reach) + special.ndtr(-shift[..., None] - reach)
    return floats((weight * tails).sum(axis=-1) / weight.sum(axis=-1))


def _over_normal(shift: FloatArray, df: FloatArray, c: FloatArray) -> FloatArray:
    """Integrates over Z: P(V < df·((Z + shift)/c)²) has both tails."""
    z = np.linspace(-_REACH, _REACH, _NODES)
    chi = special.gammainc(df[..., None] / 2, df[..., None] / 2 * ((z + shift[..., None]) / c[..., None]) ** 2)
    weight = np.exp(-(z**2) / 2)
    return floats((weight * chi).sum(axis=-1) / weight.sum())
