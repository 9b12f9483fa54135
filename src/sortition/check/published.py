"""Answers that others have published, and how to ask the methods for them.

Each tolerance is half a unit of the last digit that was printed, unless the input was rounded as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from sortition import stats
from sortition.core import Cell
from sortition.stats import BucketSums, Counts, Moments

__all__ = ["ANSWERS", "Answer"]


@dataclass(frozen=True)
class Answer:
    """One published answer.

    Attributes:
        method: The method, by its name in `sortition.stats`.
        what: Which figure it is.
        published: The figure.
        tolerance: By how much it may differ.
        source: Where it was published.
        compute: Computes it here.
    """

    method: str
    what: str
    published: float
    tolerance: float
    source: str
    compute: Callable[[], float]


def _answers(method: str, source: str, ask: Callable[[], Any], *figures: tuple[str, float, float]) -> list[Answer]:
    """Returns the answers that are attributes of one result."""

    def asked(name: str) -> Callable[[], float]:
        return lambda: float(getattr(ask(), name))

    return [Answer(method, name, published, tolerance, source, asked(name)) for name, published, tolerance in figures]


# Student's data on the effect of two drugs, as in R's `sleep`: additional hours of sleep in two groups of ten.
_DRUG_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
_DRUG_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
# Physicians' Health Study: heart attacks under aspirin, and under placebo.
_ASPIRIN, _PLACEBO = (104, 11_037), (189, 11_034)
# A trial in myocardial infarction.
_INFARCTION = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)
_R = "R, t.test(extra ~ group, data = sleep)"
_AGRESTI = "Agresti 2002"


def _moments(values: tuple[float, ...]) -> Moments:
    return Moments.of(len(values), np.mean(values), np.var(values, ddof=1))


def _one_each(values: tuple[float, ...]) -> BucketSums:
    return BucketSums.of(np.ones(len(values)), values)


def _rate_error(successes: int, trials: int) -> float:
    rate = successes / trials
    return math.sqrt(rate * (1 - rate) / trials)


def _relative() -> stats.RelativeLift:
    """How much more often placebo has heart attacks than aspirin, by logarithms."""
    (few, treated), (many, untreated) = _ASPIRIN, _PLACEBO
    errors = _rate_error(few, treated), _rate_error(many, untreated)
    return stats.relative_lift(few / treated, errors[0], many / untreated, errors[1], method="log")


def _numacc4() -> Cell:
    cell = Cell()
    values = [10_000_000.2, *(10_000_000.0 + tenth for _ in range(500) for tenth in (0.1, 0.3))]
    cell.add_many("check", [f"{index}" for index in range(len(values))], values)
    return cell


def _e_value() -> float:
    """The evidence of 7 and 3 units against halves: the Dirichlet-multinomial over the multinomial, in fractions."""
    concentration = (Fraction(5), Fraction(5))
    value = Fraction(1)
    seen = [0, 0]
    for arm in (0,) * 7 + (1,) * 3:
        value *= (concentration[arm] + seen[arm]) / (sum(concentration) + sum(seen)) / Fraction(1, 2)
        seen[arm] += 1
    return math.log(value)


_LAN_DEMETS = (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)
_POCOCK = (2.4380, 2.4268, 2.4101, 2.3966, 2.3859)


def _boundaries(spending: str, published: tuple[float, ...]) -> list[Answer]:
    def boundary(look: int) -> Callable[[], float]:
        return lambda: float(stats.group_sequential(5, alpha=0.05, spending=spending).z[look])

    source = "Lan and DeMets 1983, five looks"
    return [
        Answer("group_sequential", f"{spending} boundary {look + 1}", z, 5e-4, source, boundary(look))
        for look, z in enumerate(published)
    ]


ANSWERS: tuple[Answer, ...] = (
    *_answers(
        "welch_t",
        "NIST/SEMATECH e-Handbook 1.3.5.3",
        lambda: stats.welch_t(Moments.of(79, 30.48101, 6.10771**2), Moments.of(249, 20.14458, 6.41470**2)),
        # Its means and deviations are printed to five digits behind the point.
        ("statistic", -12.94627, 2e-4),
        ("df", 136.8750, 2e-3),
    ),
    *_answers(
        "welch_t",
        _R,
        lambda: stats.welch_t(_moments(_DRUG_1), _moments(_DRUG_2)),
        ("statistic", 1.8608, 5e-5),
        ("df", 17.776, 5e-4),
        ("p_value", 0.07939, 5e-6),
        ("lower", -0.2054832, 5e-8),
        ("upper", 3.3654832, 5e-8),
    ),
    *_answers(
        "ratio_delta",
        f"{_R}, a unit to a group",
        lambda: stats.ratio_delta(_one_each(_DRUG_1), _one_each(_DRUG_2)),
        ("statistic", 1.8608, 5e-5),
        ("p_value", 0.07939, 5e-6),
    ),
    Answer(
        "cohens_d",
        "d",
        0.8321811,
        5e-8,
        "R, effsize::cohen.d on sleep",
        lambda: float(stats.cohens_d(_moments(_DRUG_1), _moments(_DRUG_2)).value),
    ),
    Answer(
        "two_proportion_z",
        "z²",
        25.01,
        5e-3,
        _AGRESTI,
        lambda: float(stats.two_proportion_z(Counts.of(*_ASPIRIN), Counts.of(*_PLACEBO)).statistic) ** 2,
    ),
    *_answers(
        "two_proportion_z",
        _AGRESTI,
        lambda: stats.two_proportion_z(Counts.of(*_ASPIRIN), Counts.of(*_PLACEBO)),
        ("lower", 0.005, 5e-4),
        ("upper", 0.011, 5e-4),
    ),
    *_answers("relative_lift", _AGRESTI, _relative, ("lower", 0.43, 5e-3), ("upper", 1.30, 6e-3)),
    *_answers(
        "newcombe",
        "Newcombe 1998",
        lambda: stats.newcombe(Counts.of(48, 80), Counts.of(56, 70)),
        ("lower", 0.0524, 5e-5),
        ("upper", 0.3339, 5e-5),
    ),
    *_answers(
        "newcombe",
        "Newcombe 1998",
        lambda: stats.newcombe(Counts.of(0, 29), Counts.of(5, 56)),
        ("lower", -0.0381, 5e-5),
        ("upper", 0.1926, 5e-5),
    ),
    *_answers(
        "wilson",
        "Newcombe 1998",
        lambda: stats.wilson(Counts.of(81, 263)),
        ("lower", 0.2553, 5e-5),
        ("upper", 0.3662, 5e-5),
    ),
    Answer(
        "fisher_exact",
        "the tea",
        0.4857,
        5e-5,
        "Fisher 1935",
        lambda: float(stats.fisher_exact(Counts.of(1, 4), Counts.of(3, 4))),
    ),
    Answer(
        "fisher_exact",
        "the twins",
        0.0005367,
        5e-8,
        "Fisher 1962",
        lambda: float(stats.fisher_exact(Counts.of(2, 17), Counts.of(10, 13))),
    ),
    Answer(
        "holm",
        "rejected",
        3,
        0,
        "Benjamini and Hochberg 1995",
        lambda: float((stats.holm(_INFARCTION) <= 0.05).sum()),
    ),
    Answer(
        "benjamini_hochberg",
        "rejected",
        4,
        0,
        "Benjamini and Hochberg 1995",
        lambda: float((stats.benjamini_hochberg(_INFARCTION) <= 0.05).sum()),
    ),
    Answer(
        "srm_chi2",
        "p",
        1.8e-6,
        5e-8,
        "Kohavi, Tang, Xu 2020",
        lambda: float(stats.srm_chi2([821_588, 815_482], [1, 1]).p_value),
    ),
    Answer(
        "srm_sequential",
        "log e-value",
        _e_value(),
        1e-12,
        "Lindon and Malek 2022, in fractions",
        lambda: float(stats.srm_sequential([7, 3], [1, 1], concentration=10.0).log_e),
    ),
    *_boundaries("obrien_fleming", _LAN_DEMETS),
    *_boundaries("pocock", _POCOCK),
    Answer(
        "beta_binomial",
        "chance to beat",
        5 / 6,
        1e-12,
        "Beta(2, 1) against Beta(1, 2), in fractions",
        lambda: float(stats.beta_binomial(Counts.of(0, 1), Counts.of(1, 1)).chance_to_beat),
    ),
    Answer(
        "normal_normal",
        "expected lift",
        0.5,
        1e-12,
        "equal weights, in fractions",
        lambda: float(stats.normal_normal(1.0, 1.0, 0.0, 1.0).expected_lift),
    ),
    Answer(
        "power_mean",
        "power",
        0.8689528,
        # R leaves out that the test may reject on the wrong side, unless it is told to be strict.
        1e-6,
        "R, power.t.test",
        lambda: float(stats.power_mean(1.0, 1.0, 20)),
    ),
    Answer(
        "sample_size_mean",
        "units",
        64,
        0,
        "Cohen 1988, table 2.4.1",
        lambda: float(stats.sample_size_mean(0.5, 1.0)),
    ),
    Answer(
        "power_proportion",
        "power",
        0.7401659,
        1e-6,
        "R, power.prop.test",
        lambda: float(stats.power_proportion(0.50, 0.75, 50)),
    ),
    Answer(
        "sample_size_proportion",
        "units",
        77,
        0,
        "R, power.prop.test",
        lambda: float(stats.sample_size_proportion(0.50, 0.75, power=0.90)),
    ),
    Answer("cells", "mean", 10_000_000.2, 1e-7, "NIST StRD, NumAcc4", lambda: _numacc4().mean),
    Answer(
        "cells",
        "standard deviation",
        0.1,
        1e-9,
        "NIST StRD, NumAcc4",
        lambda: math.sqrt(_numacc4().m2 / (_numacc4().n - 1)),
    ),
)
