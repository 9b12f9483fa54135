"""sortition's answers to the questions of `inputs`, as figures by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from known_answers.inputs import Question
from sortition import stats
from sortition.stats.distributions import two_sided_p
from sortition.stats.sequential.asymptotic import tuned

__all__ = ["OURS", "Figures", "counts", "moments"]

Figures = dict[str, float]
"""Numbers by what they are."""


def moments(values: list[float] | NDArray[np.float64]) -> stats.Moments:
    sample = np.asarray(values)
    return stats.Moments.of(len(sample), sample.mean(), sample.var(ddof=1))


def counts(pair: list[float]) -> stats.Counts:
    return stats.Counts.of(pair[0], pair[1])


def _level(q: Question) -> float:
    return float(q.get("confidence", 0.95))


def _difference(found: stats.Difference, *figures: str) -> Figures:
    names = figures or ("difference", "standard_error", "statistic", "df", "p_value", "lower", "upper")
    return {name: float(getattr(found, name)) for name in names}


def _interval(found: Any) -> Figures:
    return {"lower": float(found.lower), "upper": float(found.upper)}


def _lift(prefix: str, found: stats.RelativeLift) -> Figures:
    return {f"{prefix}_lower": float(found.lower), f"{prefix}_upper": float(found.upper)}


def _welch_t(q: Question) -> Figures:
    return _difference(stats.welch_t(moments(q["control"]), moments(q["treatment"]), _level(q)))


def _cohens_d(q: Question) -> Figures:
    arms = moments(q["control"]), moments(q["treatment"])
    return {"d": float(stats.cohens_d(*arms).value), "g": float(stats.hedges_g(*arms).value)}


def _confidence_interval(q: Question) -> Figures:
    sample = moments(q["values"])
    found: Figures = {}
    for distribution in ("t", "normal"):
        interval = stats.confidence_interval(sample, _level(q), distribution=distribution)
        found[f"{distribution}_lower"], found[f"{distribution}_upper"] = float(interval.lower), float(interval.upper)
    return found


def _relative_samples(q: Question) -> Figures:
    found = stats.welch_t(moments(q["control"]), moments(q["treatment"]), _level(q))
    parts = (found.control, found.control_error, found.treatment, found.treatment_error)
    lift = stats.relative_lift(*parts, found.df, _level(q), method="delta")
    figures = {"lift": float(lift.value), **_lift("delta", lift)}
    # The logarithms have degrees of freedom of their own: those of the relative errors.
    log_df = stats.welch_t(
        stats.Moments.of(len(q["control"]), 0, moments(q["control"]).variance / found.control**2),
        stats.Moments.of(len(q["treatment"]), 0, moments(q["treatment"]).variance / found.treatment**2),
    ).df
    return {**figures, **_lift("log", stats.relative_lift(*parts, log_df, _level(q), method="log"))}


def _two_proportion_z(q: Question) -> Figures:
    found = stats.two_proportion_z(counts(q["control"]), counts(q["treatment"]), _level(q))
    return _difference(found, "difference", "statistic", "p_value", "lower", "upper")


def _newcombe(q: Question) -> Figures:
    return _interval(stats.newcombe(counts(q["control"]), counts(q["treatment"]), _level(q)))


def _wilson(q: Question) -> Figures:
    return _interval(stats.wilson(counts(q["counts"]), _level(q)))


def _relative_counts(q: Question) -> Figures:
    found = stats.two_proportion_z(counts(q["control"]), counts(q["treatment"]))
    parts = (found.control, found.control_error, found.treatment, found.treatment_error)
    return {
        "lift": float(stats.relative_lift(*parts).value),
        **_lift("log", stats.relative_lift(*parts, confidence=_level(q), method="log")),
    }


def _relative_lift(q: Question) -> Figures:
    parts = (q["control"], q["control_error"], q["treatment"], q["treatment_error"])
    figures: Figures = {}
    for method in ("delta", "log", "fieller"):
        figures.update(_lift(method, stats.relative_lift(*parts, confidence=_level(q), method=method)))
    return figures


def _fisher_exact(q: Question) -> Figures:
    return {"p_value": float(stats.fisher_exact(counts(q["control"]), counts(q["treatment"])))}


def _barnard_exact(q: Question) -> Figures:
    return {"p_value": float(stats.barnard_exact(counts(q["control"]), counts(q["treatment"])))}


def _adjusted(correct: Callable[[list[float]], NDArray[np.float64]]) -> Callable[[Question], Figures]:
    return lambda q: {f"p{index}": float(p) for index, p in enumerate(correct(q["p"]))}


def _ratio_delta(q: Question) -> Figures:
    control, treatment = (
        stats.BucketSums.of(q[f"{arm}_visits"], q[f"{arm}_total"]) for arm in ("control", "treatment")
    )
    return _difference(stats.ratio_delta(control, treatment))


def _cuped(q: Question) -> Figures:
    control, treatment = (
        stats.CovariateSums.of(np.ones(len(q[arm])), q[arm], q[f"{arm}_before"]) for arm in ("control", "treatment")
    )
    found = stats.cuped(control, treatment)
    return {
        "theta": float(found.theta),
        "variance_reduction": float(found.variance_reduction),
        **_difference(found.difference, "difference", "standard_error", "p_value", "lower", "upper"),
    }


def _srm_chi2(q: Question) -> Figures:
    found = stats.srm_chi2(q["units"], q["weights"])
    return {"statistic": float(found.statistic), "p_value": float(found.p_value)}


def _srm_sequential(q: Question) -> Figures:
    found = stats.srm_sequential(q["units"], q["weights"], concentration=q["concentration"])
    return {"e_value": math.exp(float(found.log_e)), "p_value": float(found.p_value)}


def _non_inferiority(q: Question) -> Figures:
    control, treatment = moments(q["control"]), moments(q["treatment"])
    error = [float(np.sqrt(arm.variance / arm.n)) for arm in (control, treatment)]
    found = stats.non_inferiority(
        control.mean, error[0], treatment.mean, error[1], np.inf, q["margin"], maximize=q["maximize"]
    )
    return {"reserve": float(found.reserve), "p_broken": float(found.p_broken), "p_kept": float(found.p_kept)}


def _chance_to_beat(q: Question) -> Figures:
    up, down = (stats.chance_to_beat(q["difference"], q["standard_error"], maximize=way) for way in (True, False))
    return {"maximize": float(up), "minimize": float(down)}


def _posterior(found: Any) -> Figures:
    figures = ("chance_to_beat", "expected_lift", "expected_loss", "lower", "upper")
    return {name: float(getattr(found, name)) for name in figures}


def _normal_normal(q: Question) -> Figures:
    parts = (q["difference"], q["standard_error"], q["prior_mean"], q["prior_sd"])
    return _posterior(stats.normal_normal(*parts))


def _beta_binomial(q: Question) -> Figures:
    prior = (q["prior"][0], q["prior"][1])
    figures = _posterior(stats.beta_binomial(counts(q["control"]), counts(q["treatment"]), prior))
    practical = stats.beta_binomial(counts(q["control"]), counts(q["treatment"]), prior, practical=0.01)
    return {**figures, "chance_of_practical": float(practical.chance_of_practical)}


def _tuning(alpha: float) -> float:
    """Returns n·ρ² as the engines tune it: the papers' closed form, which is near the exact solution of `tuned`."""
    return -2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))


def _asymptotic_cs(q: Question) -> Figures:
    alpha = q.get("alpha", 0.05)
    rho = math.sqrt(_tuning(alpha) / q["planned_n"])
    found = stats.asymptotic_cs(q["difference"], q["standard_error"], q["n"], rho=rho, alpha=alpha)
    return {**_interval(found), "p_value": float(found.p_value)}


def _proportion_cs(q: Question) -> Figures:
    alpha = q.get("alpha", 0.05)
    planned = q["planned_n"] * tuned(alpha) / _tuning(alpha)
    return _interval(stats.proportion_cs(counts(q["counts"]), planned_n=planned, alpha=alpha))


def _group_sequential(q: Question) -> Figures:
    plan = stats.group_sequential(
        q["information"], spending=q["spending"], parameter=q.get("parameter"), sides=1, alpha=0.025
    )
    both = stats.group_sequential(q["information"], spending=q["spending"], parameter=q.get("parameter"))
    figures = {}
    for look, (z, spent, nominal) in enumerate(zip(plan.z, plan.spent, plan.nominal_p, strict=True)):
        figures.update({f"z{look}": float(z), f"spent{look}": float(spent), f"nominal{look}": float(nominal)})
        figures[f"two_sided_z{look}"] = float(both.z[look])
    return figures


def _plan(q: Question) -> stats.GroupSequential:
    parameter = q.get("parameter") or None
    return stats.group_sequential(q["information"], spending=q["spending"], parameter=parameter, sides=1, alpha=0.025)


def _group_sequential_size(q: Question) -> Figures:
    error = float(stats.needed_error_group_sequential(1.0, _plan(q), q["power"]))
    return {"shift": error**-2, "power": float(stats.power_group_sequential(1.0, error, _plan(q)))}


def _crossing_probability(q: Question) -> Figures:
    drift = q["effect"] * math.sqrt(q["n"])
    found = stats.crossing_probability(q["information"], _plan(q).z, drift, sides=1)
    return {f"exit{look}": float(share) for look, share in enumerate(found)}


def _stage_wise(q: Question) -> Figures:
    n, means, stages = np.array(q["n"], dtype=float), np.array(q["means"]), q["stages"]
    plan = _plan({**q, "information": [(look + 1) / stages for look in range(stages)]})
    # The parts have a standard deviation of 1 each; all together they have one of their own.
    total, mean = n.sum(), float((n * means).sum() / n.sum())
    variance = ((n - 1).sum() + (n * (means - mean) ** 2).sum()) / (total - 1)
    found = stats.stage_wise(plan, mean, math.sqrt(variance / total), look=len(n) - 1)
    return {"p_value": float(found.p_value), "median_unbiased": float(found.median_unbiased), **_interval(found)}


def _bernoulli_cs(q: Question) -> Figures:
    arms = counts(q["control"]), counts(q["treatment"])
    found = stats.bernoulli_cs(*arms, planned_n=q["planned_n"], alpha=q.get("alpha", 0.05))
    return {**_interval(found), "p_value": float(found.p_value)}


def _bootstrap(q: Question) -> Figures:
    figures: Figures = {}
    for method in ("percentile", "bca"):
        found = stats.bootstrap([q["values"]], np.mean, method=method, resamples=99_999)
        figures[f"{method}_lower"], figures[f"{method}_upper"] = float(found.lower), float(found.upper)
        figures["standard_error"] = float(found.standard_error)
    return figures


def _mde_proportion(q: Question) -> Figures:
    return {"mde": float(stats.mde_proportion(q["rate"], q["units"], **_design(q, "alpha", "power")))}


def _power_mean(q: Question) -> Figures:
    return {"power": float(stats.power_mean(q["difference"], q["sd"], q["units"], **_design(q, "alpha", "allocation")))}


def _design(q: Question, *names: str) -> dict[str, Any]:
    return {name: q[name] for name in names if name in q}


def _sample_size_mean(q: Question) -> Figures:
    design = _design(q, "alpha", "power", "allocation")
    return {"units": float(stats.sample_size_mean(q["difference"], q["sd"], **design))}


def _mde_mean(q: Question) -> Figures:
    return {"mde": float(stats.mde_mean(q["sd"], q["units"], **_design(q, "alpha", "power", "allocation")))}


def _power_proportion(q: Question) -> Figures:
    design = _design(q, "alpha", "allocation")
    return {"power": float(stats.power_proportion(q["rate"], q["other"], q["units"], **design))}


def _sample_size_proportion(q: Question) -> Figures:
    design = _design(q, "alpha", "power", "allocation")
    return {"units": float(stats.sample_size_proportion(q["rate"], q["other"], **design))}


def _sample_size_ratio(q: Question) -> Figures:
    design = _design(q, "alpha", "power", "allocation")
    unit = stats.UnitMoments.of(*q["moments"])
    units = float(stats.sample_size_ratio(q["difference"], unit, **design))
    power = stats.power_ratio(q["difference"], unit, units, **_design(q, "alpha", "allocation"))
    return {"units": units, "power": float(power)}


def _sample_size_quantile(q: Question) -> Figures:
    design = _design(q, "alpha", "power", "allocation")
    return {"units": float(stats.sample_size_quantile(q["difference"], q["q"], q["density"], **design))}


def _quantile_difference(q: Question) -> Figures:
    arms = []
    for arm in ("control", "treatment"):
        start, width, n = q[arm]
        borders = start + width * np.arange(n + 1)
        arms.append(stats.Bins.of(np.stack([borders[:-1], borders[1:]], axis=1), np.ones(n)))
    found = stats.quantile_difference(arms[0], arms[1], q["q"], confidence=_level(q))
    names = ("control", "treatment", "difference", "lower", "upper")
    return {name: float(getattr(found, name)[0]) for name in names}


def _t_tail(q: Question) -> Figures:
    return {"p_value": float(two_sided_p(q["statistic"], q["df"]))}


OURS: dict[str, Callable[[Question], Figures]] = {
    "asymptotic_cs": _asymptotic_cs,
    "bernoulli_cs": _bernoulli_cs,
    "bootstrap": _bootstrap,
    "crossing_probability": _crossing_probability,
    "group_sequential_size": _group_sequential_size,
    "mde_proportion": _mde_proportion,
    "stage_wise": _stage_wise,
    "barnard_exact": _barnard_exact,
    "benjamini_hochberg": _adjusted(stats.benjamini_hochberg),
    "beta_binomial": _beta_binomial,
    "chance_to_beat": _chance_to_beat,
    "cohens_d": _cohens_d,
    "confidence_interval": _confidence_interval,
    "cuped": _cuped,
    "fisher_exact": _fisher_exact,
    "group_sequential": _group_sequential,
    "holm": _adjusted(stats.holm),
    "mde_mean": _mde_mean,
    "newcombe": _newcombe,
    "non_inferiority": _non_inferiority,
    "normal_normal": _normal_normal,
    "power_mean": _power_mean,
    "power_proportion": _power_proportion,
    "proportion_cs": _proportion_cs,
    "quantile_difference": _quantile_difference,
    "ratio_delta": _ratio_delta,
    "relative_counts": _relative_counts,
    "relative_lift": _relative_lift,
    "relative_samples": _relative_samples,
    "sample_size_mean": _sample_size_mean,
    "sample_size_proportion": _sample_size_proportion,
    "sample_size_quantile": _sample_size_quantile,
    "sample_size_ratio": _sample_size_ratio,
    "srm_chi2": _srm_chi2,
    "srm_sequential": _srm_sequential,
    "t_tail": _t_tail,
    "two_proportion_z": _two_proportion_z,
    "welch_t": _welch_t,
    "wilson": _wilson,
}
