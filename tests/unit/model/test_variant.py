"""Weights are exact to 0.01 %, and configurations are JSON within a bound."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortition.errors import InvalidArgument
from sortition.model import Variant, validate
from sortition.model.names import CONFIG_BYTES


def variant(**fields: Any) -> Variant:
    return validate(Variant, {"name": "a", "weight": 50, **fields})


def violations(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as caught:
        variant(**fields)
    return [(violation.field, violation.description) for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("weight", "points"),
    [
        (33.33, 3333),
        ("33.33", 3333),
        (Decimal("33.330"), 3333),
        (0, 0),
        (100, 10000),
        ("100.00", 10000),
        (0.01, 1),
        # Floats whose product with 100 is not an integer.
        (0.29, 29),
        (1.13, 113),
        (64.1, 6410),
        (8.2, 820),
    ],
)
def test_a_weight_is_what_was_written(weight: object, points: int) -> None:
    assert variant(weight=weight).basis_points == points


@given(st.integers(0, 10_000))
def test_every_basis_point_can_be_written_as_a_float(points: int) -> None:
    assert variant(weight=points / 100).basis_points == points


@pytest.mark.parametrize(
    ("weight", "why"),
    [
        (33.333, "finer than 0.01 %"),
        ("0.005", "finer than 0.01 %"),
        # More digits than decimal arithmetic keeps by default.
        ("33.33000000000000000000000000000000000001", "finer than 0.01 %"),
        ("1e-1000000", "finer than 0.01 %"),
        (-1, "from 0 to 100"),
        (100.01, "from 0 to 100"),
        ("nan", "from 0 to 100"),
        ("sNaN", "from 0 to 100"),
        ("inf", "from 0 to 100"),
        # More digits than the interpreter turns into text.
        pytest.param(10**5000, "from 0 to 100", id="long"),
        (True, "must be a percentage"),
        ("half", "must be a percentage"),
        ("33,3", "must be a percentage"),
        (None, "must be a percentage"),
        ([50], "must be a percentage"),
    ],
)
def test_other_weights_are_refused(weight: object, why: str) -> None:
    [(field, description)] = violations(weight=weight)
    assert field == "weight"
    assert why in description
    assert len(description) < 200


def test_equal_weights_are_written_alike() -> None:
    texts = {variant(weight=weight).model_dump(mode="json")["weight"] for weight in (33, 33.0, "33.00", "33.0")}
    assert texts == {"33"}
    assert variant(weight="100").model_dump(mode="json")["weight"] == "100", "and never as 1E+2"


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "x" * 128])
def test_names_that_are_accepted(name: str) -> None:
    assert variant(name=name).name == name


@pytest.mark.parametrize("name", ["", "a b", "ä", "a\n", "x" * 129, 5, None])
def test_names_that_are_refused(name: object) -> None:
    assert [field for field, _ in violations(name=name)] == ["name"]


def test_a_configuration_of_exactly_the_limit_is_accepted() -> None:
    frame = len(b'{"a":""}')
    assert variant(config={"a": "x" * (CONFIG_BYTES - frame)}).config["a"]
    [(field, description)] = violations(config={"a": "x" * (CONFIG_BYTES - frame + 1)})
    assert (field, description) == ("config", f"has {CONFIG_BYTES + 1} bytes as JSON; the limit is {CONFIG_BYTES}")


@pytest.mark.parametrize("config", [[1], "text", None, {"a": float("nan")}, {1: 2}, {"a": {2, 3}}, {"a": "\ud800"}])
def test_what_is_no_json_object_is_refused(config: object) -> None:
    assert [field for field, _ in violations(config=config)] == ["config"]


def test_a_configuration_is_stored_as_plain_json() -> None:
    assert repr(variant(config={"a": 2.0, "b": (1, 2)}).config) == "{'a': 2, 'b': [1, 2]}"
