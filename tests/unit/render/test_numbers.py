"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from sortition.render.numbers import Scale, p_value, percent, probability, quantile_name, relative
from sortition.render.words import duration, plural

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "errors", "shown"),
    [
        ([1.924, 0.812], [0.04, 0.02], "1.92 s ± 0.04"),
        ([6349.14, 4554.8], [578.4, 340.1], "6,349 s ± 578"),
        ([0.000123], [], "0.000123 s"),
        ([100.0], [0.003], "100.00 s ± 0.00"),
        ([12.3], [0.021], "12.30 s ± 0.02"),
        ([0.0], [], "0 s"),
        ([-3.0], [], f"{chr(0x2212)}3.00 s"),
        ([2.5e16], [], "2.50e+16 s"),
        ([NAN], [], "–"),
    ],
)
def test_value(values: list[float], errors: list[float], shown: str) -> None:
    scale = Scale(values, errors, unit="s")
    assert scale.value(values[0], errors[0] if errors else NAN) == shown


def test_rates_are_percent_and_differences_percentage_points() -> None:
    scale = Scale([0.789236, 0.338684], [0.00868, 0.01896], rate=True)
    assert scale.value(0.789236, 0.00868) == "78.9 % ± 0.9"
    assert scale.difference(0.450552) == "+45.1 pp"
    assert scale.interval(0.41, 0.491) == "[41.0, 49.1]"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert Scale([10.0], unit="s").difference(-0.001) == "0.0 s"


def test_units_are_left_out_where_there_are_none() -> None:
    assert Scale([10.0]).value(10.0) == "10.0"
    assert Scale([10.0]).interval(NAN, 1) == "–"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (relative(-0.578), f"{chr(0x2212)}57.8 %"),
        (relative(1.3303), "+133.0 %"),
        (relative(12.5), "+1,250 %"),
        (relative(0.0), "0.0 %"),
        (relative(NAN), "–"),
        (percent(0.33), "33.0 %"),
        (probability(0.9991), "> 99.9 %"),
        (probability(0.999), "99.9 %"),
        (probability(0.0009), "< 0.1 %"),
        (probability(NAN), "–"),
        (p_value(0.0009), "< 0.001"),
        (p_value(0.0134), "0.013"),
        (p_value(NAN), "–"),
        (quantile_name(0.95), "p95"),
        (quantile_name(0.999), "p99.9"),
        (duration(0), "0 s"),
        (duration(7805), "2 h 10 min"),
        (duration(86_400 * 3 + 5), "3 d"),
        (duration(61), "1 min 1 s"),
        (plural("session"), "sessions"),
        (plural("property"), "properties"),
        (plural("day"), "days"),
        (plural("s"), "s"),
    ],
)
def test_words(shown: str, expected: str) -> None:
    assert shown == expected
