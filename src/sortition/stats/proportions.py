"""Two proportions of independent outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sortition.stats.arrays import FloatArray, check_share, explain
from sortition.stats.difference import Difference
from sortition.stats.distributions import critical, two_sided_p
from sortition.stats.samples import Counts

__all__ = ["ScoreInterval", "newcombe", "smallest_expected", "two_proportion_z", "wilson"]


@dataclass(frozen=True)
class ScoreInterval:
    """An interval made of score intervals; NaN without trials.

    Attributes:
        lower: Its lower end.
        upper: Its upper end.
    """

    lower: FloatArray
    upper: FloatArray


def _rate(counts: Counts) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.where(counts.trials > 0, counts.successes / counts.trials, np.nan)


def two_proportion_z(control: Counts, treatment: Counts, confidence: float = 0.95) -> Difference:
    """Compares proportions by z: the pooled variance for the test, the unpooled one for the interval.

    Source: Fleiss, Levin, Paik, "Statistical Methods for Rates and Proportions", 3rd edition, 2003, chapter 3.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.
        confidence: Of the interval, in (0, 1).

    Returns:
        Differences of rates. NaN with a reason without trials in an arm, or when all outcomes are the same. The normal
        approximation needs `smallest_expected` of at least 5.

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> test = two_proportion_z(Counts.of(48, 80), Counts.of(56, 70))
    >>> round(float(test.difference), 6), round(float(test.statistic), 6), round(float(test.lower), 6)
    (0.2, 2.650172, 0.057505)
    """
    check_share("confidence", confidence)
    first, second = _rate(control), _rate(treatment)
    with np.errstate(all="ignore"):
        trials = control.trials + treatment.trials
        pooled = (control.successes + treatment.successes) / trials
        # 1 - p from the failures: a rate near 1 would cancel.
        failing = ((control.trials - control.successes) + (treatment.trials - treatment.successes)) / trials
        test_error = np.sqrt(pooled * failing) * np.sqrt(1 / control.trials + 1 / treatment.trials)
        first_error = np.sqrt(first * ((control.trials - control.successes) / control.trials) / control.trials)
        second_error = np.sqrt(
            second * ((treatment.trials - treatment.successes) / treatment.trials) / treatment.trials
        )
        reason = explain(
            (control.trials < 1, "the control has no outcomes"),
            (treatment.trials < 1, "the treatment has no outcomes"),
            (test_error == 0, "all outcomes are the same"),
        )
        known = reason == ""
        difference = second - first
        statistic = np.where(known, difference / test_error, np.nan)
        error = np.where(known, np.hypot(first_error, second_error), np.nan)
        half = critical(confidence, np.inf) * error
    first, first_error, second, second_error, _ = np.broadcast_arrays(first, first_error, second, second_error, error)
    return Difference(
        control=first,
        control_error=first_error,
        treatment=second,
        treatment_error=second_error,
        difference=difference,
        standard_error=error,
        df=np.where(known, np.inf, np.nan),
        statistic=statistic,
        p_value=two_sided_p(statistic, np.inf),
        lower=difference - half,
        upper=difference + half,
        reason=reason,
    )


def smallest_expected(control: Counts, treatment: Counts) -> FloatArray:
    """Returns the smallest expected count of the 2 x 2 table when both rates are equal.

    Source: Cochran, "Some methods for strengthening the common chi-square tests", Biometrics 10, 1954: at least 5.

    >>> float(smallest_expected(Counts.of(1, 10), Counts.of(5, 20)))
    2.0
    """
    with np.errstate(all="ignore"):
        trials = control.trials + treatment.trials
        successes = control.successes + treatment.successes
        rarer = np.minimum(successes, trials - successes)
        return np.asarray(rarer * (np.minimum(control.trials, treatment.trials) / trials))


def wilson(counts: Counts, confidence: float = 0.95) -> ScoreInterval:
    """Returns the score interval of a proportion.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> interval = wilson(Counts.of(81, 263))
    >>> round(float(interval.lower), 4), round(float(interval.upper), 4)
    (0.2553, 0.3662)
    """
    check_share("confidence", confidence)
    z = critical(confidence, np.inf)
    with np.errstate(all="ignore"):
        n = np.where(counts.trials > 0, counts.trials, np.nan)
        failures = n - counts.successes
        half = z * np.sqrt(z**2 + 4 * counts.successes * (failures / n))
        lower = (2 * counts.successes + z**2 - half) / (2 * (n + z**2))
        upper = (2 * counts.successes + z**2 + half) / (2 * (n + z**2))
    # At 0 and at n an end is exactly 0 or 1, which rounding misses.
    return ScoreInterval(
        np.where(counts.successes == 0, lower * 0, lower), np.where(failures == 0, upper * 0 + 1, upper)
    )


def newcombe(control: Counts, treatment: Counts, confidence: float = 0.95) -> ScoreInterval:
    """Returns the hybrid score interval of the difference of two proportions, sound also for small counts.

    Source: Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17, 1998, method 10.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.
        confidence: Of the interval, in (0, 1).

    Raises:
        InvalidArgument: The confidence is outside (0, 1).

    >>> interval = newcombe(Counts.of(48, 80), Counts.of(56, 70))
    >>> round(float(interval.lower), 4), round(float(interval.upper), 4)
    (0.0524, 0.3339)
    """
    first, second = _rate(control), _rate(treatment)
    inner, outer = wilson(control, confidence), wilson(treatment, confidence)
    difference = second - first
    return ScoreInterval(
        np.asarray(difference - np.hypot(second - outer.lower, inner.upper - first)),
        np.asarray(difference + np.hypot(outer.upper - second, first - inner.lower)),
    )
