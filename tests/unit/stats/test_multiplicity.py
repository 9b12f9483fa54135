"""Corrections against the papers that proposed them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from sortition.stats import benjamini_hochberg, holm

# Benjamini and Hochberg 1995, section 3.1: fifteen p-values of a trial in myocardial infarction.
INFARCTION = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def test_benjamini_and_hochbergs_example() -> None:
    """They reject four where Bonferroni-type procedures reject three."""
    assert int((benjamini_hochberg(INFARCTION) <= 0.05).sum()) == 4
    assert int((holm(INFARCTION) <= 0.05).sum()) == 3
    assert benjamini_hochberg(INFARCTION).tolist() == pytest.approx(
        scipy_stats.false_discovery_control(INFARCTION, method="bh").tolist(), rel=1e-12
    )


def test_order_does_not_matter() -> None:
    shuffled = np.random.default_rng(0).permutation(15)
    p = np.array(INFARCTION)
    for adjust in (holm, benjamini_hochberg):
        assert adjust(p[shuffled]).tolist() == adjust(p)[shuffled].tolist()


def test_what_is_no_test_does_not_count() -> None:
    for adjust in (holm, benjamini_hochberg):
        found = adjust([0.01, np.nan, 0.04])
        assert np.isnan(found[1])
        assert found[[0, 2]].tolist() == adjust([0.01, 0.04]).tolist()
        assert adjust([]).tolist() == []
        assert np.isnan(adjust([np.nan])).all()


def test_never_above_one() -> None:
    assert holm([0.9, 0.8, 0.7]).tolist() == [1, 1, 1]
    assert benjamini_hochberg([0.9, 0.8, 0.7]).tolist() == pytest.approx([0.9, 0.9, 0.9])
