"""confseq, the confidence sequences of Howard, Ramdas, McAuliffe and Sekhon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confseq.boundaries import bernoulli_confidence_interval, normal_mixture_bound

PACKAGE = "confseq"

Question = dict[str, Any]
Figures = dict[str, float]


def asymptotic_cs(q: Question) -> Figures:
    alpha = q.get("alpha", 0.05)
    bound = float(normal_mixture_bound(q["n"], alpha=alpha, v_opt=q["planned_n"], alpha_opt=alpha, is_one_sided=False))
    # A bound of the sum of n observations of variance 1; the standard error of their mean is 1/√n.
    half = bound / q["n"] ** 0.5 * q["standard_error"]
    return {"lower": q["difference"] - half, "upper": q["difference"] + half}


def proportion_cs(q: Question) -> Figures:
    alpha = q.get("alpha", 0.05)
    successes, trials = q["counts"]
    lower, upper = bernoulli_confidence_interval(successes, trials, alpha, q["planned_n"], alpha)
    return {"lower": lower, "upper": upper}


ANSWERS: dict[str, Callable[[Question], Figures]] = {"asymptotic_cs": asymptotic_cs, "proportion_cs": proportion_cs}
