"""Student's t and the normal distribution at equal tail probability, by expansion in the degrees of freedom.

With a = df - 1/2 and u² = a·ln(1 + t²/df), the density of u is that of the normal distribution times √(x / sinh x), x =
u²/(2a), and a constant. Hence z = u·(1 + Σ pₖ(u²)/a²ᵏ) with polynomials pₖ of degree 2k - 1, each of which follows from
those before it by comparing what stands beside equal powers of 1/a² and of u; and the other way round, u = z·(1 + Σ
qₖ(z²)/a²ᵏ). The first two polynomials are those of Hill, "Algorithm 395: Student's t-distribution" and "Algorithm 396:
Student's t-quantiles", Communications of the ACM 13, 1970. Five leave less than the last digits of a 64-bit number
where `near` says so, and take a tenth of the time of the incomplete beta function.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.polynomial.polynomial import polyval

from sortition.stats.arrays import BoolArray, FloatArray

__all__ = ["is_near", "normal_from_near_t", "t_from_near_normal"]

_FEWEST_DF = 40.0
_FARTHEST = 0.5
"""Of u²/a."""
_NOTHING = 2.0**-56
# From the constant term on; the tests compute them again.
_TO_NORMAL: Final = (
    (1 / 16, 1 / 48),
    (-19 / 512, -1 / 96, -11 / 7680, -1 / 5760),
    (631 / 8192, 575 / 24576, 95 / 24576, 121 / 286720, 197 / 5806080, 1 / 362880),
    (
        -174317 / 524288,
        -10361 / 98304,
        -74833 / 3932160,
        -1147 / 491520,
        -104413 / 495452160,
        -13729 / 928972800,
        -1181 / 1393459200,
        -1 / 19353600,
    ),
    (
        20491783 / 8388608,
        19901767 / 25165824,
        9377431 / 62914560,
        3674719 / 188743680,
        15150991 / 7927234560,
        64380571 / 435997900800,
        906571 / 98099527680,
        352861 / 735746457600,
        281 / 13138329600,
        1 / 958003200,
    ),
)
_FROM_NORMAL: Final = (
    (-1 / 16, -1 / 48),
    (21 / 512, 1 / 64, 7 / 2560, 1 / 5760),
    (-671 / 8192, -245 / 8192, -257 / 40960, -2209 / 2580480, -407 / 5806080, -1 / 362880),
    (
        180323 / 524288,
        1483 / 12288,
        33053 / 1310720,
        12899 / 3440640,
        41383 / 99090432,
        3529 / 103219200,
        173 / 92897280,
        1 / 19353600,
    ),
    (
        -20898423 / 8388608,
        -7176429 / 8388608,
        -736617 / 4194304,
        -1628693 / 62914560,
        -7859141 / 2642411520,
        -13408867 / 48444211200,
        -2046941 / 98099527680,
        -897053 / 735746457600,
        -4541 / 91968307200,
        -1 / 958003200,
    ),
)


def is_near(score: FloatArray, df: FloatArray) -> BoolArray:
    """Returns where a t or a normal score is near enough to the middle, for its df, to be carried over by expansion."""
    # t²/df = e^(u²/a) - 1 is the larger of the two, z²/a the smaller.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray((df >= _FEWEST_DF) & (score * score <= _FARTHEST * (df - 0.5)))


def normal_from_near_t(t: FloatArray, df: FloatArray) -> FloatArray:
    """Returns the z with P(Z > z) = P(T > t), where `is_near`."""
    a = df - 0.5
    square = a * np.log1p(t * t / df)
    return np.asarray(np.copysign(np.sqrt(square) * _factor(square, a, _TO_NORMAL), t))


def t_from_near_normal(z: FloatArray, df: FloatArray) -> FloatArray:
    """Returns the t with P(T > t) = P(Z > z), where `is_near`."""
    a = df - 0.5
    square = z * z
    u = z * _factor(square, a, _FROM_NORMAL)
    return np.asarray(np.copysign(np.sqrt(df * np.expm1(u * u / a)), z))


def _factor(square: FloatArray, a: FloatArray, polynomials: tuple[tuple[float, ...], ...]) -> FloatArray:
    step = 1 / (a * a)
    power, sum_ = step, np.zeros_like(square)
    for coefficients in polynomials:
        term = polyval(square, coefficients) * power
        sum_ += term
        if not np.any(np.abs(term) > _NOTHING):
            break
        power = power * step
    return 1 + sum_
