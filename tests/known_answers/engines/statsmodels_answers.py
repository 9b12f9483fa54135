"""statsmodels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import statsmodels.api as sm
from statsmodels.stats import multitest, power, proportion
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

PACKAGE = "statsmodels"

Question = dict[str, Any]
Figures = dict[str, float]


def _alpha(q: Question) -> float:
    return 1 - float(q.get("confidence", 0.95))


def _compare(q: Question) -> CompareMeans:
    return CompareMeans(DescrStatsW(q["treatment"]), DescrStatsW(q["control"]))


def welch_t(q: Question) -> Figures:
    both = _compare(q)
    statistic, p, df = both.ttest_ind(usevar="unequal")
    lower, upper = both.tconfint_diff(alpha=_alpha(q), usevar="unequal")
    return {"statistic": statistic, "p_value": p, "df": df, "lower": lower, "upper": upper}


def confidence_interval(q: Question) -> Figures:
    sample = DescrStatsW(q["values"])
    t, z = sample.tconfint_mean(alpha=_alpha(q)), sample.zconfint_mean(alpha=_alpha(q))
    return {"t_lower": t[0], "t_upper": t[1], "normal_lower": z[0], "normal_upper": z[1]}


def two_proportion_z(q: Question) -> Figures:
    (c, nc), (t, nt) = q["control"], q["treatment"]
    statistic, p = proportion.proportions_ztest([t, c], [nt, nc])
    lower, upper = proportion.confint_proportions_2indep(t, nt, c, nc, method="wald", compare="diff", alpha=_alpha(q))
    return {"statistic": statistic, "p_value": p, "lower": lower, "upper": upper}


def newcombe(q: Question) -> Figures:
    (c, nc), (t, nt) = q["control"], q["treatment"]
    lower, upper = proportion.confint_proportions_2indep(
        t, nt, c, nc, method="newcomb", compare="diff", alpha=_alpha(q)
    )
    return {"lower": lower, "upper": upper}


def wilson(q: Question) -> Figures:
    lower, upper = proportion.proportion_confint(*q["counts"], alpha=_alpha(q), method="wilson")
    return {"lower": lower, "upper": upper}


def relative_counts(q: Question) -> Figures:
    (c, nc), (t, nt) = q["control"], q["treatment"]
    lower, upper = proportion.confint_proportions_2indep(t, nt, c, nc, method="log", compare="ratio", alpha=_alpha(q))
    return {"log_lower": lower - 1, "log_upper": upper - 1}


def _adjusted(method: str) -> Callable[[Question], Figures]:
    def answer(q: Question) -> Figures:
        return {f"p{index}": p for index, p in enumerate(multitest.multipletests(q["p"], method=method)[1])}

    return answer


def cuped(q: Question) -> Figures:
    """The analysis of covariance, in which each arm counts with the weight that its mean's variance has."""
    arms = [(0.0, q["control"], q["control_before"]), (1.0, q["treatment"], q["treatment_before"])]
    y, x, w = [], [], []
    for arm, after, before in arms:
        n = len(after)
        y += after
        x += [[1.0, arm, value] for value in before]
        w += [1 / (n * (n - 1))] * n
    fit = sm.WLS(np.array(y), np.array(x), weights=np.array(w)).fit()
    figures = {"theta": fit.params[2], "difference": fit.params[1]}
    if len(q["control"]) == len(q["treatment"]):
        plain = sm.OLS(np.array(y), np.array(x)).fit()
        figures |= {"standard_error": plain.bse[1], "p_value": plain.pvalues[1]}
        figures["lower"], figures["upper"] = plain.conf_int()[1]
    return figures


def ratio_delta(q: Question) -> Figures:
    """Weighted means with errors that are robust to clusters, by the sandwich without its small-sample factor."""
    figures: Figures = {}
    estimates = []
    for arm in ("control", "treatment"):
        visits, total = np.array(q[f"{arm}_visits"]), np.array(q[f"{arm}_total"])
        groups = len(visits)
        fit = sm.WLS(total / visits, np.ones((groups, 1)), weights=visits).fit(cov_type="HC0")
        estimates.append((fit.params[0], fit.bse[0] * math.sqrt(groups / (groups - 1))))
    figures["difference"] = estimates[1][0] - estimates[0][0]
    figures["standard_error"] = math.hypot(estimates[0][1], estimates[1][1])
    return figures


def non_inferiority(q: Question) -> Figures:
    toward = 1 if q["maximize"] else -1
    worst = (1 - toward * q["margin"]) * np.array(q["control"])
    both = CompareMeans(DescrStatsW(toward * np.array(q["treatment"])), DescrStatsW(toward * worst))
    return {
        "p_broken": both.ztest_ind(alternative="smaller", usevar="unequal")[1],
        "p_kept": both.ztest_ind(alternative="larger", usevar="unequal")[1],
    }


def _design(q: Question, known: Question) -> Question:
    return {"alpha": q.get("alpha", 0.05), "ratio": q.get("allocation", 1.0), **known}


def power_mean(q: Question) -> Figures:
    known = {"effect_size": q["difference"] / q["sd"], "nobs1": q["units"]}
    return {"power": power.TTestIndPower().power(**_design(q, known))}


def sample_size_mean(q: Question) -> Figures:
    known = {"effect_size": q["difference"] / q["sd"], "power": q.get("power", 0.8)}
    return {"units": math.ceil(power.TTestIndPower().solve_power(**_design(q, known)))}


def mde_mean(q: Question) -> Figures:
    known = {"nobs1": q["units"], "power": q.get("power", 0.8)}
    return {"mde": power.TTestIndPower().solve_power(**_design(q, known)) * q["sd"]}


def power_proportion(q: Question) -> Figures:
    found = proportion.power_proportions_2indep(
        q["other"] - q["rate"],
        q["rate"],
        1 / q.get("allocation", 1.0) * q["units"] * q.get("allocation", 1.0) ** 2,
        ratio=1 / q.get("allocation", 1.0),
        alpha=q.get("alpha", 0.05),
    )
    return {"power": found.power}


def sample_size_quantile(q: Question) -> Figures:
    """The z-test of means with the standard deviation sqrt(q(1-q))/f."""
    effect = q["difference"] * q["density"] / math.sqrt(q["q"] * (1 - q["q"]))
    known = {"effect_size": effect, "power": q.get("power", 0.8)}
    return {"units": math.ceil(power.NormalIndPower().solve_power(**_design(q, known)))}


def sample_size_ratio(q: Question) -> Figures:
    mean_y, sd_y, mean_x, sd_x, correlation = q["moments"]
    r = mean_y / mean_x
    sd = math.sqrt(sd_y**2 - 2 * r * correlation * sd_x * sd_y + r**2 * sd_x**2) / mean_x
    known = {"effect_size": q["difference"] / sd, "power": q.get("power", 0.8)}
    return {"units": math.ceil(power.NormalIndPower().solve_power(**_design(q, known)))}


ANSWERS: dict[str, Callable[[Question], Figures]] = {
    "welch_t": welch_t,
    "confidence_interval": confidence_interval,
    "two_proportion_z": two_proportion_z,
    "newcombe": newcombe,
    "wilson": wilson,
    "relative_counts": relative_counts,
    "holm": _adjusted("holm"),
    "benjamini_hochberg": _adjusted("fdr_bh"),
    "cuped": cuped,
    "ratio_delta": ratio_delta,
    "non_inferiority": non_inferiority,
    "power_mean": power_mean,
    "sample_size_mean": sample_size_mean,
    "mde_mean": mde_mean,
    "power_proportion": power_proportion,
    "sample_size_quantile": sample_size_quantile,
    "sample_size_ratio": sample_size_ratio,
}
