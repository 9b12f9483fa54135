"""Spending functions against published values."""

from __future__ import annotations

import numpy as np
import pytest

from sortition.errors import InvalidArgument
from sortition.stats import hwang_shih_decani, kim_demets, obrien_fleming, pocock
from sortition.stats.sequential.spending import SPENDING, spending_named


def test_lan_demets_1983() -> None:
    """Both sides together at fifths, as the program of Reboussin et al. (2000) prints them."""
    t = np.arange(1, 6) / 5
    assert (2 * obrien_fleming(t, 0.025)).round(5).tolist() == [0.0, 0.00079, 0.00762, 0.02442, 0.05]


def test_rpact() -> None:
    """Cumulative alpha of rpact's asHSD (gammaA = -1), asKD (gammaA = 2.2) and asP designs, from its test suite."""
    found = hwang_shih_decani([0.2, 0.4, 1], 0.07, -1)
    np.testing.assert_allclose(found, [0.0090195874, 0.020036136, 0.07], rtol=5e-8)
    np.testing.assert_allclose(kim_demets([0.3, 0.7, 1], 0.03, 2.2), [0.0021222083, 0.013687904, 0.03], rtol=5e-8)
    np.testing.assert_allclose(pocock([0.35, 0.7, 1], 0.13), [0.061214062, 0.10266465, 0.13], rtol=5e-8)


@pytest.mark.parametrize("name", SPENDING)
def test_each_spends_nothing_at_first_all_in_the_end_and_never_less(name: str) -> None:
    t = np.linspace(0, 1, 201)
    spent = spending_named(name)(t, 0.04)
    assert spent[0] == 0
    assert spent[-1] == pytest.approx(0.04, rel=1e-14)
    assert np.all(np.diff(spent) >= 0)


def test_hwang_shih_decani_goes_through_even_spending() -> None:
    t = np.array([0.1, 0.6])
    np.testing.assert_allclose(hwang_shih_decani(t, 0.05, 0.0), t * 0.05, rtol=1e-15)
    np.testing.assert_allclose(hwang_shih_decani(t, 0.05, 1e-9), t * 0.05, rtol=1e-8)


def test_arguments_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"information: must be fractions from 0 to 1, but is \[0.5, 1.5\]"):
        pocock([0.5, 1.5])
    with pytest.raises(InvalidArgument, match="power: must be > 0 and at most 40, but is 0"):
        kim_demets(0.5, 0.05, 0)
    with pytest.raises(InvalidArgument, match="gamma: must be from -40 to 40, but is nan"):
        hwang_shih_decani(0.5, 0.05, float("nan"))
    with pytest.raises(InvalidArgument, match="spending: is 'linear'; use one of: obrien_fleming, pocock"):
        spending_named("linear")
    with pytest.raises(InvalidArgument, match="parameter: pocock takes none; those that do: kim_demets"):
        spending_named("pocock", 2.0)
