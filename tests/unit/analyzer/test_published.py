"""Published trials, analyzed from aggregates alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analyzer_samples import NOW, Outcomes, make_record, unit_names
from published import nsw, thornton
from sortition.analyzer.analyze import analyze
from sortition.analyzer.result import RecommendationKind


def test_the_national_supported_work_trial() -> None:
    """185 treated, 260 control: the difference 1794.34 and the p-value of scipy on the raw rows."""
    control, treated = nsw()
    record = make_record(
        [{"name": "re78", "kind": "continuous", "goal": "maximize", "role": "primary", "unit": "USD"}],
        {"control": 50, "treated": 50},
        external=True,
        min_samples=400,
    )
    outcomes = Outcomes(record)
    outcomes.add("control", "re78", unit_names("c", 260), control.tolist())
    outcomes.add("treated", "re78", unit_names("t", 185), treated.tolist())
    result = analyze(record, outcomes.data(), NOW)
    expected = scipy_stats.ttest_ind(treated, control, equal_var=False)
    (found,) = result.comparisons
    assert found.method == "welch_t"
    assert round(found.difference, 2) == 1794.34
    assert found.p_value == found.p_adjusted == pytest.approx(expected.pvalue, rel=1e-9, abs=0)
    assert found.df == pytest.approx(expected.df, rel=1e-9, abs=0)
    interval = expected.confidence_interval(0.95)
    assert tuple(found.interval) == pytest.approx((interval.low, interval.high), rel=1e-9, abs=0)
    pooled = np.sqrt((184 * treated.var(ddof=1) + 259 * control.var(ddof=1)) / 443)
    assert found.effect_size == pytest.approx((treated.mean() - control.mean()) / pooled, rel=1e-9, abs=0)
    assert (result.winner, result.should_ship, result.sample_ratio.verdict) == ("treated", True, "unknown")
    assert result.recommendation == "Ship treated: re78 +39.4 % (p = 0.008)."
    assert [(one.n, one.variant) for one in result.metrics] == [(260, "control"), (185, "treated")]
    assert result.metrics[0].se == pytest.approx(control.std(ddof=1) / np.sqrt(260), rel=1e-12, abs=0)


def test_the_hiv_trial() -> None:
    """2,211 with an incentive, 623 without: rates 0.789236 and 0.338684."""
    control, treated = thornton()
    record = make_record(
        [{"name": "got", "kind": "binary", "goal": "maximize", "role": "primary"}],
        {"none": 22, "any": 78},
        external=True,
    )
    outcomes = Outcomes(record)
    outcomes.add("none", "got", unit_names("n", 623), control.tolist())
    outcomes.add("any", "got", unit_names("a", 2211), treated.tolist())
    result = analyze(record, outcomes.data(), NOW)
    (found,) = result.comparisons
    assert found.method == "two_proportion_z"
    assert [round(one.mean, 6) for one in result.metrics] == [0.338684, 0.789236]
    table = np.array([[int(arm.sum()), len(arm) - int(arm.sum())] for arm in (control, treated)])
    expected = scipy_stats.chi2_contingency(table, correction=False)
    assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-9, abs=0)
    assert found.chance_to_beat > 0.999
    assert result.recommendation_kind is RecommendationKind.SHIP
