"""Roots of many functions at once against numbers that are known otherwise."""

from __future__ import annotations

import numpy as np
from scipy import special

from sortition.stats.arrays import FloatArray
from sortition.stats.roots import find_roots


def test_roots_of_different_functions_at_once() -> None:
    target = np.array([2.0, 1e-12, 1e12])
    found = find_roots(lambda x: x**3 - target, [0.0, 0.0, 0.0], [10.0, 1.0, 1e6])
    np.testing.assert_allclose(found, np.cbrt(target), rtol=1e-13)


def test_a_bracket_may_be_given_backward_and_its_end_may_be_the_root() -> None:
    assert float(find_roots(lambda x: x - 3, 5.0, 1.0)) == 3
    assert float(find_roots(lambda x: x - 5, 5.0, 1.0)) == 5
    assert float(find_roots(lambda x: x - 1, 5.0, 1.0)) == 1


def test_without_a_change_of_sign_the_nearer_end_is_returned() -> None:
    assert find_roots(lambda x: x + 1, [0.0, 0.0], [1.0, 2.0]).tolist() == [0.0, 0.0]
    assert float(find_roots(lambda x: x - 9, 0.0, 1.0)) == 1


def test_it_is_fast_where_halving_is_slow() -> None:
    calls = []

    def function(x: FloatArray) -> FloatArray:
        calls.append(x)
        return np.asarray(special.ndtr(x) - 0.975)

    assert abs(float(find_roots(function, -40.0, 40.0)) - 1.959963984540054) < 1e-13
    assert len(calls) < 40


def test_a_flat_function_with_a_jump_still_ends() -> None:
    found = find_roots(lambda x: np.where(x < 0.3, -1.0, 1.0), 0.0, 1.0)
    assert abs(float(found) - 0.3) < 1e-14
