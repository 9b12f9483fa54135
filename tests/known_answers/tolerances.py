"""How near to each engine's answer sortition's has to be, and why it is not nearer.

Everything is compared relatively, to 1e-9, except what is named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

__all__ = ["DEFAULT", "EXCEPTIONS", "Tolerance", "tolerance"]


@dataclass(frozen=True)
class Tolerance:
    """How far two figures may be apart: the larger of both."""

    relative: float
    absolute: float = 0.0
    why: str = ""


DEFAULT = Tolerance(1e-9)

# (engine, question/figure pattern) to its tolerance; the first that fits holds.
EXCEPTIONS: tuple[tuple[str, str, Tolerance], ...] = (
    ("gbstats", "welch_t/offset/*", Tolerance(5e-3, why="it takes raw sums of squares, which cancel at a mean of 1e6")),
    ("*", "*/offset/*", Tolerance(1e-8, why="a mean of 1e6 has 1e-10 of rounding beside a difference of 0.5")),
    ("R", "bootstrap/*", Tolerance(0, 0.05, "in standard errors: 99,999 resamples of its own")),
    ("R", "stage_wise/*", Tolerance(1e-5, why="its search ends there")),
    ("R", "crossing_probability/*", Tolerance(1e-6, why="as for its critical values")),
    ("R", "mde_proportion/*", Tolerance(1e-6, why="its uniroot() ends there")),
    ("gbstats", "cuped/*/theta", Tolerance(0.05, why="it estimates theta from both arms as one sample")),
    ("*", "cuped/*/p_value", Tolerance(0.05, why="as for its error")),
    ("gbstats", "cuped/*", Tolerance(0, 0.1, "in standard errors: another estimate of theta")),
    ("tea-tasting", "cuped/*", Tolerance(0, 0.1, "in standard errors: another estimate of theta")),
    ("statsmodels", "cuped/*/theta", DEFAULT),
    ("statsmodels", "cuped/*/difference", DEFAULT),
    ("statsmodels", "cuped/*", Tolerance(0, 0.01, "in standard errors: one variance for both arms, not Welch's")),
    ("statsmodels", "power_proportion/*", Tolerance(1e-4, why="it counts rejections in the wrong direction")),
    ("R", "beta_binomial/*", Tolerance(1e-7, why="its integrate() and uniroot() end there")),
    ("gbstats", "*/p_value", Tolerance(1e-9, 1e-14, "it takes 1 - cdf, which ends at 1e-16")),
    ("R", "mde_mean/*", Tolerance(1e-6, why="its uniroot() ends there")),
    ("R", "group_sequential_size/*", Tolerance(1e-7, why="as for its critical values")),
    ("statsmodels", "mde_mean/*", Tolerance(1e-5, why="its search ends there")),
    (
        "tea-tasting",
        "barnard_exact/convictions/*",
        Tolerance(0.1, why="its search stops at a local maximum; the largest is 7 % higher, at a rate of 0.5"),
    ),
    ("tea-tasting", "barnard_exact/*", Tolerance(1e-6, why="its search for the worst rate ends there")),
    ("confseq", "proportion_cs/*", Tolerance(1e-6, why="its search ends there")),
    ("R", "group_sequential/*", Tolerance(1e-5, why="rpact searches to 1e-8 of the spent level")),
    ("tea-tasting", "sample_size_ratio/*/units", Tolerance(0, 1.0, "it rounds both arms together")),
)


def tolerance(engine: str, name: str) -> Tolerance:
    """Returns the tolerance of one figure."""
    for whose, pattern, allowed in EXCEPTIONS:
        if fnmatch(engine, whose) and fnmatch(name, pattern):
            return allowed
    return DEFAULT
