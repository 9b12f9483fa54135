"""Declares an experiment for outcomes that already exist."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sortition.cli.imports.plan import Plan
from sortition.cli.imports.survey import Survey
from sortition.errors import InvalidArgument, Violation
from sortition.model import ExperimentSpec, validate

__all__ = ["declare", "observed_weights"]

_BASIS_POINTS = 10_000
# What an experiment asks for when nothing is said; a trial that ended with less was planned with less.
_USUAL_SAMPLES = 1000


def declare(
    plan: Plan,
    found: Survey,
    *,
    key: str,
    organization: str,
    subject: str,
    control: str,
    kinds: dict[str, str],
    goals: dict[str, str],
) -> ExperimentSpec:
    """Returns the experiment that a file is the outcome of.

    The first metric is the primary one. A metric of zeros and ones is binary, one with a denominator a ratio, any other
    continuous, unless `kinds` says otherwise; its goal is to be maximized unless `goals` does. The weights are what was
    observed: how units were meant to be split is not in the file, and is not judged where assignment is external.

    Args:
        plan: What is read.
        found: What the file holds.
        key: The experiment's key.
        organization: Who owns it; empty for the default.
        subject: ``KIND/ID``; ``import/KEY`` when empty.
        control: The control's name.
        kinds: Kinds by metric.
        goals: Goals by metric.

    Raises:
        InvalidArgument: It cannot be declared so; lists every violation.
    """
    problems = [
        Violation(option, f"{name!r} is no metric of this import")
        for option, given in (("--kind", kinds), ("--goal", goals))
        for name in given
        if name not in {metric.metric for metric in plan.metrics}
    ]
    names = sorted(found.variants, key=lambda name: (name != control, name))
    if control not in found.variants:
        problems.append(Violation("--control", f"must be one of {', '.join(names[:20])}, but is {control!r}"))
    if problems:
        raise InvalidArgument.of(problems)
    shares = observed_weights(found.variants)
    kind, slash, name = subject.partition("/")
    raw: dict[str, Any] = {
        "key": key,
        "subject": {"kind": kind, "id": name} if slash else {"kind": "import", "id": subject or key},
        "metrics": [
            {
                "name": metric.metric,
                "kind": kinds.get(metric.metric) or _kind(bool(metric.denominator), found.binary[index]),
                "goal": goals.get(metric.metric, "maximize"),
                "role": "secondary" if index else "primary",
            }
            for index, metric in enumerate(plan.metrics)
        ],
        "variants": [{"name": name, "weight": shares[name], "control": name == control} for name in names],
        # All its outcomes are there at once: one look is all there is.
        "decision": {"policy": "fixed_horizon", "min_samples": max(2, min(_USUAL_SAMPLES, found.units))},
        "external_assignment": True,
    }
    if organization:
        raw["organization"] = organization
    return validate(ExperimentSpec, raw)


def observed_weights(rows: Counter[str]) -> dict[str, str]:
    """Returns the observed shares in percent, rounded to 0.01 by the largest remainder so that they sum to 100."""
    total = sum(rows.values())
    points = {name: count * _BASIS_POINTS // total for name, count in rows.items()}
    by_remainder = sorted(rows, key=lambda name: (-(rows[name] * _BASIS_POINTS % total), name))
    for name in by_remainder[: _BASIS_POINTS - sum(points.values())]:
        points[name] += 1
    return {name: f"{share // 100}.{share % 100:02}" for name, share in points.items()}


def _kind(ratio: bool, binary: bool) -> str:
    return "ratio" if ratio else "binary" if binary else "continuous"
