"""What is registered does not depend on how it was written, and depends on every field there is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sortition.lifecycle.registration import declared
from sortition.model import ExperimentSpec, canonical_json, config_hash, validate
from sortition.model.base import Part

# Every list has something in it, so that every field of every part is there to be changed.
PLAIN: dict[str, Any] = {
    "key": "search",
    "organization": "acme",
    "subject": {"kind": "agent", "id": "search-agent"},
    "name": "Search",
    "description": "What it is about.",
    "hypothesis": "It is better.",
    "unit": "user",
    "metrics": [
        {
            **{"name": "time", "kind": "duration", "goal": "minimize", "role": "primary", "quantiles": [0.5, 0.9]},
            "prior": {"mean": 0, "sd": 2},
        },
        {
            "name": "cost",
            "kind": "continuous",
            "goal": "minimize",
            "role": "guardrail",
            "margin": 0.5,
            "cap_max": 9,
            "quantiles": [0.5],
        },
    ],
    "variants": [
        {"name": "old", "weight": 40, "control": True, "config": {"passes": 2}},
        {"name": "new", "weight": 60, "config": {"passes": 1, "deep": {"x": [1, 2.5, 3], "on": True}}},
    ],
    "decision": {"policy": "group_sequential", "min_samples": 100, "looks": [200, 400], "max_days": 7},
    "dimensions": [{"name": "device", "levels": ["phone", "desk"]}],
    "ramp": [{"treatment": 10, "hold": 24}, {"treatment": 60}],
}
UNREGISTERED = {"name", "description", "variants[0].description", "variants[1].description"}


def hash_of(spec: ExperimentSpec) -> str:
    return config_hash(declared(spec))


@st.composite
def respelled(draw: st.DrawFn) -> dict[str, Any]:
    """The same specification with its keys in another order and its whole numbers written otherwise."""
    shuffle = random.Random(draw(st.integers(0, 2**32)))

    def again(value: Any, path: str = "") -> Any:
        if isinstance(value, dict):
            keys = list(value)
            shuffle.shuffle(keys)
            return {key: again(value[key], f"{path}.{key}") for key in keys}
        if isinstance(value, list):
            return [again(item, path) for item in value]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and path.endswith((".weight", ".treatment")):
            return shuffle.choice([value, float(value), str(value), f"{value}.00", Decimal(value)])
        # Counts of units are whole numbers however they are written in JSON, and only there.
        if whole and not path.endswith((".min_samples", ".looks")):
            return shuffle.choice([value, float(value)])
        return value

    found: dict[str, Any] = again(PLAIN)
    return found


@given(respelled())
def test_the_order_of_keys_and_the_spelling_of_numbers_change_nothing(plain: dict[str, Any]) -> None:
    assert hash_of(validate(ExperimentSpec, plain)) == hash_of(validate(ExperimentSpec, PLAIN))


def changed(part: Part, path: str = "") -> Iterator[tuple[str, Part]]:
    """Yields a part with each of its fields changed in turn, at every depth, and the field's path."""
    for name in type(part).model_fields:
        value, step = getattr(part, name), f"{path}.{name}" if path else name
        if isinstance(value, Part):
            for deeper, other in changed(value, step):
                yield deeper, part.model_copy(update={name: other})
        elif isinstance(value, tuple) and value and isinstance(value[0], Part):
            for index, item in enumerate(value):
                for deeper, other in changed(item, f"{step}[{index}]"):
                    yield deeper, part.model_copy(update={name: (*value[:index], other, *value[index + 1 :])})
            yield f"{step}, shorter", part.model_copy(update={name: value[1:]})
            if value[1:]:
                yield f"{step}, in another order", part.model_copy(update={name: value[::-1]})
        else:
            yield step, part.model_copy(update={name: another(value, part, name)})


def another(value: Any, part: Part, name: str) -> Any:
    """Returns a value of the same kind that is not `value`."""
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, (int, float, Decimal)):
        return value + 1
    if isinstance(value, tuple):
        return value[1:] if value else pytest.fail(f"{type(part).__name__}.{name} is empty; put something into PLAIN")
    if isinstance(value, dict):
        return {**value, "y": 1}
    assert value is None, f"{type(part).__name__}.{name} is a {type(value).__name__}; say how it can be another one"
    return {"prior": None, "weights": {"old": Decimal(1)}, "treatment": Decimal(1)}.get(name) or 1


def cases() -> dict[str, ExperimentSpec]:
    return {path: part for path, part in changed(validate(ExperimentSpec, PLAIN)) if isinstance(part, ExperimentSpec)}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_every_field_there_is_changes_the_hash_but_names_and_descriptions() -> None:
    base = hash_of(validate(ExperimentSpec, PLAIN))
    found = cases()
    found.pop("metrics[1].prior")
    assert len(found) > 70
    assert {"hypothesis", "decision.mde", "metrics[1].margin", "variants[1].config", "decision.looks"} <= found.keys()
    assert {path for path, spec in found.items() if hash_of(spec) == base} == UNREGISTERED
    hashes = [hash_of(spec) for path, spec in found.items() if path not in UNREGISTERED]
    assert len(set(hashes)) == len(hashes)


def test_no_configuration_is_in_what_is_registered_but_its_hash() -> None:
    text = canonical_json(declared(validate(ExperimentSpec, PLAIN))).decode()
    assert '"passes"' not in text
    assert config_hash(PLAIN["variants"][0]["config"]) in text
