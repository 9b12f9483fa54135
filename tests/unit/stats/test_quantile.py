"""Quantiles of binned distributions against the order statistics and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.errors import InvalidArgument
from sortition.stats import Bins, quantile, quantile_difference

# A uniform distribution on [0, 1] in ten bins: its quantile function is the identity, up to half an observation.
EDGES = [[k / 10, (k + 1) / 10] for k in range(10)]


def uniform(n: int, shift: float = 0.0) -> Bins:
    return Bins.of(np.array(EDGES) + shift, [n / 10] * 10)


def test_quantiles_are_interpolated_inside_the_bin() -> None:
    found = quantile(uniform(1_000_000), [0.001, 0.25, 0.333, 0.5, 0.999])
    assert found.value.tolist() == pytest.approx([0.001, 0.25, 0.333, 0.5, 0.999], abs=1e-6)
    assert found.rank_error.tolist() == pytest.approx(
        [math.sqrt(q * (1 - q) / 1e6) for q in (0.001, 0.25, 0.333, 0.5, 0.999)]
    )


def test_independent_observations_in_closed_form() -> None:
    """For uniform arms rank errors are value errors, and MOVER is the two-sample z, up to half an observation."""
    n, shift, q = 100_000, 0.006, 0.5
    found = quantile_difference(uniform(n), uniform(n, shift), q)
    error = math.sqrt(2 * q * (1 - q) / n)
    assert float(found.difference[0]) == pytest.approx(shift, abs=1e-9)
    assert float(found.p_value[0]) == pytest.approx(2 * float(scipy_stats.norm.sf(shift / error)), rel=1e-3, abs=0)
    assert float(found.upper[0] - found.lower[0]) == pytest.approx(2 * 1.959963984540054 * error, rel=1e-4, abs=0)
    assert float(found.control_error[0]) == pytest.approx(error / math.sqrt(2), rel=1e-4, abs=0)
    assert np.isinf(found.df[0])


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.05])
def test_the_p_value_and_the_interval_never_disagree(q: float, confidence: float) -> None:
    rng = np.random.default_rng(5)
    edges = np.array([[1.02**k, 1.02 ** (k + 1)] for k in range(-200, 200)])

    def arm(location: float) -> Bins:
        values = np.clip(rng.lognormal(location, 0.5, 2000), edges[0, 0], edges[-1, 1] * 0.999)
        return Bins.of(edges, np.histogram(values, np.append(edges[:, 0], edges[-1, 1]))[0])

    control = arm(0.0)
    for shift in (0.0, 0.02, 0.05, 0.2, -0.05):
        found = quantile_difference(control, arm(shift), q, confidence=confidence)
        excluded = bool(found.lower[0] > 0 or found.upper[0] < 0)
        assert excluded == bool(found.p_value[0] < 1 - confidence)


def test_groups_of_units_in_closed_form() -> None:
    """Sixteen groups of n each, of which a share lies below the quantile: the delta-method error written out."""
    rng = np.random.default_rng(2)
    below = rng.integers(400, 600, 16)
    counts = np.stack([below, 1000 - below])
    q = (below.sum() - 0.5) / (16_000 - 1)
    found = quantile(Bins.of([[0, 1], [1, 2]], counts), q, clustered=True)
    share = below.sum() / 16_000
    variance = 16 / 15 * ((below - share * 1000) ** 2).sum() / 16_000**2
    assert float(found.rank_error[0]) == pytest.approx(math.sqrt(variance), rel=1e-9, abs=0)
    assert float(found.df[0]) == 15


def test_repeated_units_use_t_on_both_arms_groups() -> None:
    rng = np.random.default_rng(3)
    control, treatment = (Bins.of(EDGES, rng.integers(50, 150, (10, 16))) for _ in range(2))
    found = quantile_difference(control, treatment, 0.5, clustered=True)
    assert float(found.df[0]) == 30
    assert float(found.p_value[0]) == pytest.approx(
        2 * float(scipy_stats.t.sf(abs(found.statistic[0]), 30)), rel=1e-9, abs=0
    )


def test_identical_arms_have_no_difference() -> None:
    found = quantile_difference(uniform(1000), uniform(1000), [0.5, 0.9])
    assert found.difference.tolist() == [0, 0]
    assert found.p_value.tolist() == [1, 1]
    assert found.reason.tolist() == ["", ""]


def test_a_sure_difference_is_bounded_by_the_ranks_there_are() -> None:
    """Arms far apart: p is the level at which a rank of 1000 observations leaves [0, 1]."""
    found = quantile_difference(uniform(1000), uniform(1000, 50.0), 0.9)
    edge = 0.1 / math.sqrt(0.9 * 0.1 / 1000)
    assert float(found.statistic[0]) == pytest.approx(edge)
    assert float(found.p_value[0]) == pytest.approx(2 * float(scipy_stats.norm.sf(edge)), rel=1e-9, abs=0)


def test_too_few_observations_say_so() -> None:
    """The 99th percentile's rank ± 1.96·√(0.99·0.01/n) stays in [0, 1] from n = 381 on."""
    for n, known in ((370, False), (390, True)):
        found = quantile_difference(uniform(n), uniform(n), 0.99)
        assert bool(found.reason[0] == "") is known
        assert bool(np.isnan(found.p_value[0])) is not known
    assert found.reason[0] == ""
    few = quantile_difference(uniform(370), uniform(370), 0.99)
    assert few.reason[0] == "too few observations for an interval at this quantile"


def test_degenerate_input_says_so() -> None:
    empty = Bins.of(np.empty((0, 2)), np.empty((0, 16)))
    assert np.isnan(quantile(empty, 0.5).value).all()
    assert quantile_difference(empty, uniform(100), 0.5).reason.tolist() == ["the control has no observations"]
    single = Bins.of([[1, 2]], [100])
    assert quantile_difference(uniform(100), single, 0.5).reason.tolist() == [
        "all observations of the treatment are in one bin of its sketch"
    ]
    one_group = Bins.of(EDGES, np.column_stack([np.full(10, 10), np.zeros(10)]))
    lonely = quantile_difference(one_group, one_group, 0.5, clustered=True)
    assert lonely.reason.tolist() == ["the control has outcomes in fewer than 2 groups of units"]
    assert np.isnan(lonely.p_value).all()


def test_the_outer_bins_are_cut_to_what_was_seen() -> None:
    bins = Bins.of([[0, 10], [10, 20]], [500, 500]).within(4, 12)
    assert quantile(bins, [0.0001, 0.9999]).value.tolist() == pytest.approx([4, 12], abs=0.01)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"q: must be numbers between 0 and 1, but is \[95.0\]; write 0.95"):
        quantile(uniform(10), 95)
    with pytest.raises(InvalidArgument, match="edges: must ascend"):
        Bins.of([[0, 2], [1, 3]], [1, 1])
    with pytest.raises(InvalidArgument, match="edges: has shape"):
        Bins.of([[0, 1]], [1, 2])
