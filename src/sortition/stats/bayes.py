"""Posteriors of a difference: how likely a treatment is better, by how much, and what choosing it may cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, TextArray, check_share, explain, floats
from sortition.stats.beta import Beta, exceeds, excess, lower_quantile
from sortition.stats.distributions import critical, normal_cdf
from sortition.stats.samples import Counts

__all__ = ["Posterior", "beta_binomial", "normal_normal"]

_SQRT2 = float(np.sqrt(2))
_SQRT_HALF_PI = float(np.sqrt(np.pi / 2))


@dataclass(frozen=True)
class Posterior:
    """What is believed of treatment - control after the data. Every array has the comparisons' shape.

    Attributes:
        chance_to_beat: The probability that the treatment is better, in [0, 1].
        expected_lift: The mean of treatment - control, in the metric's unit; positive where the treatment is larger,
            whichever is better.
        expected_loss: The mean of what is lost by choosing the treatment: by how much the control is better, 0 where it
            is not; >= 0, in the metric's unit. This is the risk, and not 1 - chance_to_beat.
        lower: The lower end of the equal-tailed credible interval of treatment - control.
        upper: Its upper end.
        chance_of_practical: The probability that the treatment is better by more than the practical threshold.
        reason: Why figures are NaN; empty where none is.
    """

    chance_to_beat: FloatArray
    expected_lift: FloatArray
    expected_loss: FloatArray
    lower: FloatArray
    upper: FloatArray
    chance_of_practical: FloatArray
    reason: TextArray


def beta_binomial(
    control: Counts,
    treatment: Counts,
    prior: tuple[float, float] = (1.0, 1.0),
    *,
    confidence: float = 0.95,
    practical: FloatLike = 0.0,
    maximize: bool = True,
) -> Posterior:
    """Returns the posterior of the difference of two rates, each with a beta prior: exact, by quadrature.

    Source: Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 2.4; the expected loss: Stucchio,
    "Bayesian A/B testing at VWO", 2015.

    Args:
        control: The controls.
        treatment: The treatments; broadcasts against the controls.
        prior: Exponents (a, b) of both arms' prior, as if a successes and b failures had been seen; > 0. Uniform,
            (1, 1), by default.
        confidence: The probability of the credible interval, in (0, 1); 0.95.
        practical: The improvement that matters, >= 0, a difference of rates; 0.
        maximize: Whether larger is better.

    Returns:
        Posteriors of rates. Without any trials the prior is the posterior. NaN with a reason where successes are not in
        [0, trials].

    Raises:
        InvalidArgument: The confidence is outside (0, 1), the prior not > 0, or the threshold negative.

    120 of 1,000 against 100 of 1,000:

    >>> found = beta_binomial(Counts.of(100, 1000), Counts.of(120, 1000), practical=0.01)
    >>> round(float(found.chance_to_beat), 6), round(float(found.expected_loss), 6)
    (0.923183, 0.000485)
    >>> round(float(found.lower), 4), round(float(found.upper), 4), round(float(found.chance_of_practical), 4)
    (-0.0075, 0.0475, 0.7617)
    """
    check_share("confidence", confidence)
    for name, exponent in zip(("prior[0]", "prior[1]"), prior, strict=True):
        if not (exponent > 0 and np.isfinite(exponent)):
            text = f"must be > 0 and finite, but is {exponent}; (1, 1) is the uniform prior"
            raise InvalidArgument.of([(name, text)])
    threshold = _threshold(practical)
    won, tried, other_won, other_tried, wanted = np.broadcast_arrays(
        control.successes, control.trials, treatment.successes, treatment.trials, threshold
    )
    reason = explain(
        (~((won >= 0) & (won <= tried) & np.isfinite(tried)), "the control's successes are not in [0, trials]"),
        (
            ~((other_won >= 0) & (other_won <= other_tried) & np.isfinite(other_tried)),
            "the treatment's successes are not in [0, trials]",
        ),
    )
    known = reason == ""

    def arm(successes: FloatArray, trials: FloatArray) -> Beta:
        failures = np.where(known, trials - successes, 0)
        return Beta(np.ravel(np.where(known, successes, 0) + prior[0]), np.ravel(failures + prior[1]))

    first, second = arm(won, tried), arm(other_won, other_tried)
    better, worse = (second, first) if maximize else (first, second)
    least = np.ravel(wanted)
    chance = exceeds(better, worse, np.zeros(least.shape))
    beyond = exceeds(better, worse, least) if least.any() else chance
    tail = (1 - confidence) / 2

    def shaped(values: FloatArray) -> FloatArray:
        return np.where(known, values.reshape(known.shape), np.nan)

    return Posterior(
        chance_to_beat=shaped(chance),
        expected_lift=shaped(second.mean - first.mean),
        expected_loss=shaped(excess(worse, better)),
        lower=shaped(lower_quantile(second, first, tail)),
        upper=shaped(-lower_quantile(first, second, tail)),
        chance_of_practical=shaped(beyond),
        reason=reason,
    )


def normal_normal(
    difference: FloatLike,
    standard_error: FloatLike,
    prior_mean: FloatLike,
    prior_sd: FloatLike,
    *,
    confidence: float = 0.95,
    practical: FloatLike = 0.0,
    maximize: bool = True,
) -> Posterior:
    """Returns the posterior of a difference that is normal around its estimate, with a proper normal prior.

    Source: Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 2.5; the expected loss is the normal
    linear loss integral of Raiffa, Schlaifer, "Applied Statistical Decision Theory", 1961, section 5.3.

    Args:
        difference: Treatment - control, estimated, in the metric's unit.
        standard_error: Its standard error.
        prior_mean: The prior's mean, in the same unit; usually 0.
        prior_sd: The prior's standard deviation, > 0 and finite: how large true differences are.
        confidence: The probability of the credible interval, in (0, 1); 0.95.
        practical: The improvement that matters, >= 0, in the metric's unit; 0.
        maximize: Whether larger is better.

    Returns:
        Posteriors of the arguments' common shape. NaN with a reason where the estimate or its error is unknown, or the
        error is not > 0.

    Raises:
        InvalidArgument: The confidence is outside (0, 1), a prior improper, or the threshold negative.

    An estimate as sure as its prior is met half way:

    >>> found = normal_normal(2.0, 1.0, 0.0, 1.0)
    >>> float(found.expected_lift), round(float(found.chance_to_beat), 6), round(float(found.expected_loss), 6)
    (1.0, 0.92135, 0.025127)
    >>> round(float(found.lower), 4), round(float(found.upper), 4)
    (-0.3859, 2.3859)
    """
    check_share("confidence", confidence)
    estimate, error, center, spread, wanted = np.broadcast_arrays(
        floats(difference), floats(standard_error), floats(prior_mean), floats(prior_sd), _threshold(practical)
    )
    if not (np.all(np.isfinite(center)) and np.all((spread > 0) & np.isfinite(spread))):
        text = "must be proper: a finite mean and a standard deviation > 0 and finite"
        raise InvalidArgument.of([("prior_sd", text)])
    reason = explain(
        (~np.isfinite(estimate), "the difference is unknown"),
        (~((error > 0) & np.isfinite(error)), "the standard error is not a finite number > 0"),
    )
    with np.errstate(all="ignore"):
        # How much the data count; from the quotient, whose square alone may overflow harmlessly.
        weight = np.where(reason == "", 1 / (1 + (error / spread) ** 2), np.nan)
        away = estimate - center
        mean = np.where(weight < 0.5, center + weight * away, estimate - (1 - weight) * away)
        deviation = error * np.sqrt(weight)
        toward = mean if maximize else -mean
        half = critical(confidence, np.inf) * deviation
        return Posterior(
            chance_to_beat=normal_cdf(toward / deviation),
            expected_lift=mean,
            expected_loss=_shortfall(toward, deviation),
            lower=mean - half,
            upper=mean + half,
            chance_of_practical=normal_cdf((toward - wanted) / deviation),
            reason=reason,
        )


def _threshold(practical: FloatLike) -> FloatArray:
    wanted = floats(practical)
    if not np.all(wanted >= 0):
        raise InvalidArgument.of([("practical", f"must be >= 0, but is {wanted.tolist()}")])
    return wanted


def _shortfall(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Returns E max(-X, 0) of a normal X."""
    z = mean / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    # Far out phi(z) - z·Phi(-z) cancels; with Mills' ratio from erfcx only 1/z² of it does.
    far = density * np.maximum(1 - z * _SQRT_HALF_PI * special.erfcx(z / _SQRT2), 0)
    near = density - z * special.ndtr(-z)
    return np.asarray(deviation * np.where(z > 0, far, near))
