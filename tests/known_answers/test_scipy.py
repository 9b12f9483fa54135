"""sortition beside SciPy and NumPy on the raw data, in this very environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.stats as scipy_stats
from numpy.typing import NDArray
from scipy.stats.contingency import expected_freq

from known_answers.cases import Case, ours
from known_answers.inputs import INPUTS, Question
from known_answers.ours import counts
from known_answers.tally import Tally
from sortition import stats

SOURCE = "scipy"


def _case(name: str, expected: Any, found: Any, relative: float = 1e-9, absolute: float = 0.0) -> Case:
    value = float(expected)
    return Case(SOURCE, name, value, float(np.asarray(found)), max(relative * abs(value), absolute))


def _table(q: Question) -> NDArray[np.int64]:
    (c, nc), (t, nt) = q["control"], q["treatment"]
    return np.array([[t, c], [nt - t, nc - c]])


def welch(name: str, q: Question) -> Iterator[Case]:
    found, level = ours("welch_t", name), q.get("confidence", 0.95)
    expected = scipy_stats.ttest_ind(q["treatment"], q["control"], equal_var=False)
    interval = expected.confidence_interval(level)
    # A mean of 1e6 has 1e-10 of rounding beside a difference of 0.5.
    near = 1e-8 if name == "offset" else 1e-9
    yield _case(f"welch_t/{name}/statistic", expected.statistic, found["statistic"], near)
    yield _case(f"welch_t/{name}/df", expected.df, found["df"], near)
    yield _case(f"welch_t/{name}/p_value", expected.pvalue, found["p_value"], near)
    yield _case(f"welch_t/{name}/lower", interval.low, found["lower"], near)
    yield _case(f"welch_t/{name}/upper", interval.high, found["upper"], near)


def fisher(name: str, q: Question) -> Iterator[Case]:
    expected = scipy_stats.fisher_exact(_table(q)).pvalue
    yield _case(f"fisher_exact/{name}/p_value", expected, ours("fisher_exact", name)["p_value"])


def chi_square(name: str, q: Question) -> Iterator[Case]:
    share = np.array(q["weights"]) / np.sum(q["weights"])
    expected = scipy_stats.chisquare(q["units"], share * np.sum(q["units"]))
    found = ours("srm_chi2", name)
    yield _case(f"srm_chi2/{name}/statistic", expected.statistic, found["statistic"])
    yield _case(f"srm_chi2/{name}/p_value", expected.pvalue, found["p_value"])


def two_proportions(name: str, q: Question) -> Iterator[Case]:
    expected = scipy_stats.chi2_contingency(_table(q), correction=False)
    yield _case(f"two_proportion_z/{name}/square", expected.statistic, ours("two_proportion_z", name)["statistic"] ** 2)
    least = stats.smallest_expected(counts(q["control"]), counts(q["treatment"]))
    yield _case(f"smallest_expected/{name}/count", expected_freq(_table(q)).min(), least)


def discoveries(name: str, q: Question) -> Iterator[Case]:
    expected = scipy_stats.false_discovery_control(q["p"])
    for index, p in enumerate(expected):
        yield _case(f"benjamini_hochberg/{name}/p{index}", p, ours("benjamini_hochberg", name)[f"p{index}"])


def quantiles(name: str, q: Question) -> Iterator[Case]:
    start, width, n = q["control"]
    borders = start + width * np.arange(n + 1)
    bins = stats.Bins.of(np.stack([borders[:-1], borders[1:]], axis=1), np.ones(n))
    for share in (0.01, 0.25, 0.5, 0.9, 0.99):
        expected = np.quantile(borders[:-1] + width / 2, share)
        yield _case(f"quantile/{name}/{share}", expected, stats.quantile(bins, share).value[0])


def ratios(name: str, q: Question) -> Iterator[Case]:
    """With one observation per group a ratio is the mean, and its error the mean's."""
    values = q["control"]
    found = stats.ratio(stats.BucketSums.of(np.ones(len(values)), values))
    yield _case(f"ratio/{name}/value", np.mean(values), found.value)
    near = 1e-8 if name == "offset" else 1e-9
    yield _case(f"ratio/{name}/error", scipy_stats.sem(values), found.error, near)


def caps(name: str, q: Question) -> Iterator[Case]:
    low, high = np.quantile(q["control"], [0.05, 0.95])
    found = stats.winsorize(q["control"], low, high)
    expected = np.clip(q["control"], low, high)
    yield _case(f"winsorize/{name}/mean", expected.mean(), np.mean(found.values), 1e-12)
    yield _case(f"winsorize/{name}/moved", np.sum(expected != q["control"]), np.sum(found.below + found.above), 0)


ASKED = {
    "welch_t": welch,
    "fisher_exact": fisher,
    "srm_chi2": chi_square,
    "two_proportion_z": two_proportions,
    "benjamini_hochberg": discoveries,
    "quantile_difference": quantiles,
    "cohens_d": ratios,
    "relative_samples": caps,
}
CASES = [case for method, ask in ASKED.items() for name, q in INPUTS[method].items() for case in ask(name, q)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_as_scipy_says(case: Case, tally: Tally) -> None:
    tally.check(case)
    assert case.expected == case.expected, "NaN agrees with nothing"
