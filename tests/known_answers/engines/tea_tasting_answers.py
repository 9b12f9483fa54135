"""tea-tasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tea_tasting as tt
from tea_tasting.aggr import Aggregates

PACKAGE = "tea-tasting"

Question = dict[str, Any]
Figures = dict[str, float]


def _aggregates(**columns: list[float]) -> Aggregates:
    names = list(columns)
    data = np.array([columns[name] for name in names])
    covariance = np.cov(data, ddof=1).reshape(len(names), len(names))
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    return Aggregates(
        count_=data.shape[1],
        mean_={name: float(row.mean()) for name, row in zip(names, data, strict=True)},
        var_={name: float(covariance[i, i]) for i, name in enumerate(names)},
        cov_={(names[i], names[j]): float(covariance[i, j]) for i, j in pairs},
    )


def _binary(counts: list[int]) -> Aggregates:
    successes, trials = counts
    rate = successes / trials
    return Aggregates(count_=trials, mean_={"y": rate}, var_={"y": rate * (1 - rate) * trials / (trials - 1)})


def _figures(found: Any) -> Figures:
    return {
        "difference": found.effect_size,
        "statistic": found.statistic,
        "p_value": found.pvalue,
        "lower": found.effect_size_ci_lower,
        "upper": found.effect_size_ci_upper,
    }


def welch_t(q: Question) -> Figures:
    metric = tt.Mean("y", confidence_level=q.get("confidence", 0.95), equal_var=False, use_t=True)
    return _figures(metric.analyze_aggregates(_aggregates(y=q["control"]), _aggregates(y=q["treatment"])))


def relative_samples(q: Question) -> Figures:
    metric = tt.Mean("y", confidence_level=q.get("confidence", 0.95), equal_var=False, use_t=True)
    found = metric.analyze_aggregates(_aggregates(y=q["control"]), _aggregates(y=q["treatment"]))
    return {
        "lift": found.rel_effect_size,
        "log_lower": found.rel_effect_size_ci_lower,
        "log_upper": found.rel_effect_size_ci_upper,
    }


def ratio_delta(q: Question) -> Figures:
    metric = tt.RatioOfMeans("y", "x", equal_var=False, use_t=True)
    arms = [_aggregates(y=q[f"{arm}_total"], x=q[f"{arm}_visits"]) for arm in ("control", "treatment")]
    return _figures(metric.analyze_aggregates(*arms))


def cuped(q: Question) -> Figures:
    """Only of arms about as large as each other: it weighs observations for theta, and sortition arms."""
    if not 0.5 < len(q["control"]) / len(q["treatment"]) < 2:
        return {}
    metric = tt.Mean("y", "x", equal_var=False, use_t=True)
    arms = [_aggregates(y=q[arm], x=q[f"{arm}_before"]) for arm in ("control", "treatment")]
    found = _figures(metric.analyze_aggregates(*arms))
    del found["statistic"]
    return found


def two_proportion_z(q: Question) -> Figures:
    level = q.get("confidence", 0.95)
    arms = _binary(q["control"]), _binary(q["treatment"])
    pooled = tt.Proportion("y", method="norm", correction=False, equal_var=True).analyze_aggregates(*arms)
    apart = tt.Proportion("y", method="norm", correction=False, equal_var=False, confidence_level=level)
    found = apart.analyze_aggregates(*arms)
    return {
        "difference": pooled.effect_size,
        "p_value": pooled.pvalue,
        "lower": found.effect_size_ci_lower,
        "upper": found.effect_size_ci_upper,
    }


def relative_counts(q: Question) -> Figures:
    metric = tt.Proportion(
        "y", method="norm", correction=False, equal_var=False, confidence_level=q.get("confidence", 0.95)
    )
    found = metric.analyze_aggregates(_binary(q["control"]), _binary(q["treatment"]))
    return {
        "lift": found.rel_effect_size,
        "log_lower": found.rel_effect_size_ci_lower,
        "log_upper": found.rel_effect_size_ci_upper,
    }


def barnard_exact(q: Question) -> Figures:
    metric = tt.Proportion("y", method="barnard")
    return {"p_value": metric.analyze_aggregates(_binary(q["control"]), _binary(q["treatment"])).pvalue}


def fisher_exact(q: Question) -> Figures:
    metric = tt.Proportion("y", method="fisher")
    return {"p_value": metric.analyze_aggregates(_binary(q["control"]), _binary(q["treatment"])).pvalue}


def sample_size_ratio(q: Question) -> Figures:
    mean_y, sd_y, mean_x, sd_x, correlation = q["moments"]
    data = Aggregates(
        count_=1000,
        mean_={"y": mean_y, "x": mean_x},
        var_={"y": sd_y**2, "x": sd_x**2},
        cov_={("x", "y"): correlation * sd_x * sd_y},
    )
    allocation = q.get("allocation", 1.0)
    metric = tt.RatioOfMeans(
        "y",
        "x",
        use_t=False,
        equal_var=False,
        alpha=q.get("alpha", 0.05),
        power=q.get("power", 0.8),
        ratio=allocation,
        effect_size=q["difference"],
    )
    # Its sizes are of both arms together, rounded up.
    both = metric.solve_power_from_aggregates(data, "n_obs")[0].n_obs
    return {"units": both / (1 + allocation)}


ANSWERS: dict[str, Callable[[Question], Figures]] = {
    "welch_t": welch_t,
    "relative_samples": relative_samples,
    "ratio_delta": ratio_delta,
    "cuped": cuped,
    "two_proportion_z": two_proportion_z,
    "relative_counts": relative_counts,
    "barnard_exact": barnard_exact,
    "fisher_exact": fisher_exact,
    "sample_size_ratio": sample_size_ratio,
}
