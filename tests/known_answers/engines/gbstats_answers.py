"""gbstats, GrowthBook's engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig, GaussianPrior
from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import RatioStatistic, RegressionAdjustedStatistic, SampleMeanStatistic
from gbstats.utils import check_srm

PACKAGE = "gbstats"

Question = dict[str, Any]
Figures = dict[str, float]


def _sample(values: list[float]) -> SampleMeanStatistic:
    return SampleMeanStatistic(n=len(values), sum=sum(values), sum_squares=sum(value * value for value in values))


def _figures(test: Any, prefix: str = "") -> Figures:
    lower, upper = test.confidence_interval
    return {f"{prefix}lower": lower, f"{prefix}upper": upper, "p_value": test.p_value}


def _config(q: Question, kind: str) -> FrequentistConfig:
    return FrequentistConfig(difference_type=kind, alpha=1 - q.get("confidence", 0.95))


def welch_t(q: Question) -> Figures:
    test = TwoSidedTTest(_sample(q["control"]), _sample(q["treatment"]), _config(q, "absolute"))
    return {**_figures(test), "difference": test.point_estimate, "df": test.dof}


def relative_samples(q: Question) -> Figures:
    test = TwoSidedTTest(_sample(q["control"]), _sample(q["treatment"]), _config(q, "relative"))
    found = _figures(test, "delta_")
    del found["p_value"]
    return {**found, "lift": test.point_estimate}


def _products(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def ratio_delta(q: Question) -> Figures:
    arms = [
        RatioStatistic(
            n=len(q[f"{arm}_total"]),
            m_statistic=_sample(q[f"{arm}_total"]),
            d_statistic=_sample(q[f"{arm}_visits"]),
            m_d_sum_of_products=_products(q[f"{arm}_total"], q[f"{arm}_visits"]),
        )
        for arm in ("control", "treatment")
    ]
    test = TwoSidedTTest(*arms, _config(q, "absolute"))
    return {**_figures(test), "difference": test.point_estimate, "df": test.dof}


def cuped(q: Question) -> Figures:
    """Only of arms about as large as each other: it weighs observations for theta, and sortition arms."""
    if not 0.5 < len(q["control"]) / len(q["treatment"]) < 2:
        return {}
    arms = [
        RegressionAdjustedStatistic(
            n=len(q[arm]),
            post_statistic=_sample(q[arm]),
            pre_statistic=_sample(q[f"{arm}_before"]),
            post_pre_sum_of_products=_products(q[arm], q[f"{arm}_before"]),
            theta=0,
        )
        for arm in ("control", "treatment")
    ]
    test = TwoSidedTTest(*arms, _config(q, "absolute"))
    return {**_figures(test), "difference": test.point_estimate, "theta": test.stat_a.theta}


def srm_chi2(q: Question) -> Figures:
    return {"p_value": check_srm(q["units"], q["weights"])}


def asymptotic_cs(q: Question) -> Figures:
    # Two arms of the same size and variance, so that the difference has the error asked for.
    n = int(q["n"] / 2)
    variance = q["standard_error"] ** 2 * n / 2
    arms = [
        SampleMeanStatistic(n=n, sum=mean * n, sum_squares=variance * (n - 1) + n * mean**2)
        for mean in (1.0, 1.0 + q["difference"])
    ]
    config = SequentialConfig(
        difference_type="absolute", alpha=q.get("alpha", 0.05), sequential_tuning_parameter=q["planned_n"]
    )
    return _figures(SequentialTwoSidedTTest(*arms, config))


def _bayesian(q: Question, *, proper: bool) -> Any:
    n = 1000
    variance = q["standard_error"] ** 2 * n / 2
    arms = [
        SampleMeanStatistic(n=n, sum=mean * n, sum_squares=variance * (n - 1) + n * mean**2)
        for mean in (1.0, 1.0 + q["difference"])
    ]
    prior = GaussianPrior(mean=q["prior_mean"], variance=q["prior_sd"] ** 2, proper=proper)
    config = EffectBayesianConfig(difference_type="absolute", prior_type="absolute", prior_effect=prior)
    return EffectBayesianABTest(*arms, config).compute_result()


def normal_normal(q: Question) -> Figures:
    found = _bayesian(q, proper=True)
    return {
        "chance_to_beat": found.chance_to_win,
        "expected_lift": found.expected,
        "expected_loss": found.risk[1],
        "lower": found.ci[0],
        "upper": found.ci[1],
    }


def chance_to_beat(q: Question) -> Figures:
    chance = _bayesian(q, proper=False).chance_to_win
    return {"maximize": chance, "minimize": 1 - chance}


ANSWERS: dict[str, Callable[[Question], Figures]] = {
    "welch_t": welch_t,
    "relative_samples": relative_samples,
    "ratio_delta": ratio_delta,
    "cuped": cuped,
    "srm_chi2": srm_chi2,
    "asymptotic_cs": asymptotic_cs,
    "normal_normal": normal_normal,
    "chance_to_beat": chance_to_beat,
}
