"""Equal configurations have equal bytes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortition.model import canonical_json, config_hash, merge
from sortition.model.canonical import normalize

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(LEAVES | TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
OBJECTS = st.dictionaries(TEXT, JSON, max_size=5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, b"{}"),
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ({"a": 2.0}, b'{"a":2}'),
        ({"a": -0.0}, b'{"a":0}'),
        ({"a": 0.1}, b'{"a":0.1}'),
        ({"a": (1, 2)}, b'{"a":[1,2]}'),
        ({"ä": "€"}, '{"ä":"€"}'.encode()),
        ({"a": 1e300}, b'{"a":1e+300}'),
        ({"a": 2**53}, b'{"a":9007199254740992}'),
    ],
)
def test_there_is_one_text_for_a_value(value: object, text: bytes) -> None:
    assert canonical_json(value) == text


def test_the_hash_is_the_sha_256_of_that_text() -> None:
    # printf '{"a":1}' | sha256sum
    assert config_hash({"a": 1.0}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.nan, "not a JSON number"),
        (-math.inf, "not a JSON number"),
        (2**53 + 1, "too large to be exact"),
        ({1: "a"}, "the key 1 is not text"),
        ({"a": {1, 2}}, "set has no JSON form"),
        ({"a": b"x"}, "bytes has no JSON form"),
        ({"a": "\ud800"}, "surrogates"),
    ],
)
def test_what_is_not_json_is_refused(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        canonical_json(value)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_is_bounded() -> None:
    assert canonical_json(nested(64)).count(b"[") == 64
    with pytest.raises(ValueError, match="deeper than 64 levels"):
        canonical_json(nested(65))


@given(JSON)
def test_the_text_reads_back_as_the_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(OBJECTS)
def test_the_order_of_keys_makes_no_difference(value: dict[str, Any]) -> None:
    assert canonical_json(dict(reversed(list(value.items())))) == canonical_json(value)


@given(JSON)
def test_a_normalized_value_stays_as_it_is(value: Any) -> None:
    once = normalize(value)
    assert repr(normalize(once)) == repr(once)


@pytest.mark.parametrize(
    ("base", "change", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": 5}, {"a": 5}),
        ({"a": 5}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 9}}}, {"a": {"b": {"c": 9, "d": 2}}}),
    ],
)
def test_a_change_is_laid_over_key_by_key(base: dict[str, Any], change: dict[str, Any], merged: dict[str, Any]) -> None:
    before = canonical_json(base)
    assert merge(base, change) == merged
    assert canonical_json(base) == before, "the base is left alone"


@given(OBJECTS, OBJECTS)
def test_merging_twice_changes_nothing_more(base: dict[str, Any], change: dict[str, Any]) -> None:
    once = merge(base, change)
    assert merge(once, change) == once
    assert merge(base, {}) == base
    assert merge({}, change) == change
