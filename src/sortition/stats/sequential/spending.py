"""How much of alpha may be spent by when: spending functions of the information fraction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, check_share, floats
from sortition.stats.distributions import normal_quantile, two_sided_p

__all__ = ["SPENDING", "hwang_shih_decani", "kim_demets", "obrien_fleming", "pocock", "spending_named"]

_MOST_EXTREME = 40.0
"""Parameters beyond it spend all of alpha at one end of the experiment, or overflow."""


def _checked(information: FloatLike, alpha: float) -> FloatArray:
    check_share("alpha", alpha)
    t = floats(information)
    if not np.all((t >= 0) & (t <= 1)):
        raise InvalidArgument.of([("information", f"must be fractions from 0 to 1, but is {t.tolist()}")])
    return t


def obrien_fleming(information: FloatLike, alpha: float = 0.05) -> FloatArray:
    """Returns the alpha spent by an information fraction: hardly any early, like O'Brien and Fleming's boundaries.

    For one side that spends alpha: 2 - 2Φ(z/√t) with z the upper alpha/2 quantile.

    Source: Lan, DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983.

    Args:
        information: Fractions in [0, 1].
        alpha: Of one side, in (0, 1).

    Raises:
        InvalidArgument: A fraction or alpha is outside its range.

    >>> obrien_fleming([0.0, 0.5, 1.0], 0.025).round(6).tolist()
    [0.0, 0.001525, 0.025]
    """
    t = _checked(information, alpha)
    with np.errstate(all="ignore"):
        return np.where(t > 0, two_sided_p(normal_quantile(alpha / 2) / np.sqrt(t), np.inf), 0.0)


def pocock(information: FloatLike, alpha: float = 0.05) -> FloatArray:
    """Returns the alpha spent by an information fraction: about evenly, like Pocock's boundaries.

    Source: as for `obrien_fleming`: alpha · ln(1 + (e - 1)t).

    Args:
        information: Fractions in [0, 1].
        alpha: Of one side, in (0, 1).

    Raises:
        InvalidArgument: A fraction or alpha is outside its range.

    >>> pocock([0.0, 0.5, 1.0], 0.025).round(6).tolist()
    [0.0, 0.015503, 0.025]
    """
    return np.asarray(alpha * np.log1p((math.e - 1) * _checked(information, alpha)))


def kim_demets(information: FloatLike, alpha: float = 0.05, power: float = 3.0) -> FloatArray:
    """Returns the alpha spent by an information fraction: alpha · t^power.

    Source: Kim, DeMets, "Design and analysis of group sequential tests based on the type I error spending rate
    function", Biometrika 74, 1987.

    Args:
        information: Fractions in [0, 1].
        alpha: Of one side, in (0, 1).
        power: In (0, 40]; 1 is near Pocock's boundaries, 3 near O'Brien and Fleming's.

    Raises:
        InvalidArgument: A fraction, alpha or the power is outside its range.

    >>> kim_demets([0.0, 0.5, 1.0], 0.04, 2.0).round(6).tolist()
    [0.0, 0.01, 0.04]
    """
    t = _checked(information, alpha)
    if not 0 < power <= _MOST_EXTREME:
        raise InvalidArgument.of([("power", f"must be > 0 and at most {_MOST_EXTREME:g}, but is {power}")])
    return np.asarray(alpha * t**power)


def hwang_shih_decani(information: FloatLike, alpha: float = 0.05, gamma: float = -4.0) -> FloatArray:
    """Returns the alpha spent by an information fraction: alpha · (1 - e^(-gamma·t)) / (1 - e^(-gamma)).

    Source: Hwang, Shih, De Cani, "Group sequential designs using a family of type I error probability spending
    functions", Statistics in Medicine 9, 1990.

    Args:
        information: Fractions in [0, 1].
        alpha: Of one side, in (0, 1).
        gamma: In [-40, 40]; 1 is near Pocock's boundaries, -4 near O'Brien and Fleming's, 0 spends evenly.

    Raises:
        InvalidArgument: A fraction, alpha or gamma is outside its range.

    >>> hwang_shih_decani([0.0, 0.5, 1.0], 0.025).round(6).tolist()
    [0.0, 0.00298, 0.025]
    """
    t = _checked(information, alpha)
    if not abs(gamma) <= _MOST_EXTREME:
        raise InvalidArgument.of([("gamma", f"must be from -{_MOST_EXTREME:g} to {_MOST_EXTREME:g}, but is {gamma}")])
    # The ratio's limit is t.
    return np.asarray(alpha * (t if abs(gamma) < 1e-12 else np.expm1(-gamma * t) / math.expm1(-gamma)))


SPENDING: Mapping[str, Callable[..., FloatArray]] = {
    "obrien_fleming": obrien_fleming,
    "pocock": pocock,
    "kim_demets": kim_demets,
    "hwang_shih_decani": hwang_shih_decani,
}
"""The spending functions that exist, by name."""

_WITH_PARAMETER = ("kim_demets", "hwang_shih_decani")


def spending_named(name: str, parameter: float | None = None) -> Callable[[FloatLike, float], FloatArray]:
    """Returns the spending function of that name, its parameter filled in.

    Raises:
        InvalidArgument: There is none, or it takes no parameter.

    >>> float(spending_named("kim_demets", 2.0)(0.5, 0.04))
    0.01
    """
    function = SPENDING.get(name)
    if function is None:
        raise InvalidArgument.of([("spending", f"is {name!r}; use one of: {', '.join(SPENDING)}")])
    if parameter is None:
        return function
    if name not in _WITH_PARAMETER:
        text = f"{name} takes none; those that do: {', '.join(_WITH_PARAMETER)}"
        raise InvalidArgument.of([("parameter", text)])
    return lambda information, alpha: function(information, alpha, parameter)
