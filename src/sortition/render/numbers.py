"""Numbers as people read them: three significant digits, a true minus sign, a space before the unit."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["MINUS", "Scale", "count", "p_value", "percent", "probability", "quantile_name", "relative"]

MINUS = "\N{MINUS SIGN}"
_DIGITS = 3
# A tiny standard error asks for more digits than the figure it belongs to; so many more it gets.
_EXTRA_DIGITS = 2
_MAX_DECIMALS = 12
# Beyond these, digits say less than a power of ten.
_LARGEST = 1e15


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _fixed(value: float, decimals: int, signed: bool = False) -> str:
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    text = f"{size:.{_DIGITS - 1}e}" if size >= _LARGEST else f"{size:,.{decimals}f}"
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    # What rounds to nothing has no sign.
    return text if not text.strip("0.,") else sign + text


class Scale:
    """One way to write all figures of a metric, so that they can be compared at a glance.

    Args:
        values: The figures, in the metric's unit.
        errors: Their standard errors; the smallest still shows a digit where that costs at most two.
        unit: The metric's unit of measurement.
        rate: Whether they are rates in [0, 1], to be written in percent and percentage points.
    """

    def __init__(
        self, values: Iterable[float], errors: Iterable[float] = (), *, unit: str = "", rate: bool = False
    ) -> None:
        self._factor = 100.0 if rate else 1.0
        self._unit = "%" if rate else unit
        self._difference_unit = "pp" if rate else unit
        sizes = [abs(value) * self._factor for value in values if math.isfinite(value) and value]
        spreads = [error * self._factor for error in errors if math.isfinite(error) and error > 0]
        base = _DIGITS - 1 - _exponent(max(sizes)) if sizes else 0
        wanted = max(base, -_exponent(min(spreads))) if spreads else base
        self._decimals = min(max(0, min(wanted, max(base, 0) + _EXTRA_DIGITS)), _MAX_DECIMALS)

    def value(self, value: float, error: float = math.nan) -> str:
        """Writes a figure and, where it is known, its standard error: ``1.92 s ± 0.04``."""
        text = self._with_unit(_fixed(value * self._factor, self._decimals), self._unit)
        return f"{text} ± {_fixed(error * self._factor, self._decimals)}" if math.isfinite(error) else text

    def difference(self, value: float) -> str:
        """Writes a signed difference: ``−1.11 s``."""
        return self._with_unit(_fixed(value * self._factor, self._decimals, signed=True), self._difference_unit)

    def loss(self, value: float) -> str:
        """Writes a difference that has a size only: ``0.02 s``."""
        return self._with_unit(_fixed(value * self._factor, self._decimals), self._difference_unit)

    def interval(self, lower: float, upper: float) -> str:
        """Writes an interval of differences: ``[−1.20, −1.02]``."""
        if not (math.isfinite(lower) and math.isfinite(upper)):
            return "–"
        return f"[{_fixed(lower * self._factor, self._decimals)}, {_fixed(upper * self._factor, self._decimals)}]"

    @staticmethod
    def _with_unit(text: str, unit: str) -> str:
        return f"{text} {unit}" if unit and text != "–" else text


def count(value: int) -> str:
    """Writes a count: ``2,211``."""
    return f"{value:,}"


def percent(share: float, decimals: int = 1) -> str:
    """Writes a share in [0, 1] in percent: ``33.0 %``."""
    return f"{_fixed(share * 100, decimals)} %" if math.isfinite(share) else "–"


def relative(value: float) -> str:
    """Writes a signed relative difference: ``−57.8 %``."""
    return f"{_fixed(value * 100, 1 if abs(value) < 10 else 0, signed=True)} %" if math.isfinite(value) else "–"


def probability(value: float) -> str:
    """Writes a probability in percent; what is almost certain is not written as certain."""
    if not math.isfinite(value):
        return "–"
    if value > 0.999:
        return "> 99.9 %"
    if value < 0.001:
        return "< 0.1 %"
    return percent(value)


def p_value(value: float) -> str:
    """Writes a p-value: ``0.013``, ``< 0.001``."""
    if not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def quantile_name(q: float) -> str:
    """Names a quantile: ``p95``, ``p99.9``."""
    return f"p{round(q * 100, 6):g}"
