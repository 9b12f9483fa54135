"""What outcomes are broken down by: what may be declared, and that it survives every form it is written in."""

from __future__ import annotations

from typing import Any

import pytest

from sortition.errors import InvalidArgument, SpecError
from sortition.model import ExperimentSpec, validate
from sortition.model.dimension import MAX_DIMENSIONS, MAX_LEVELS, MAX_LEVELS_TOGETHER, OTHER
from sortition.model.file import dump_experiment, parse_experiment
from sortition.model.file_schema import experiment_schema
from sortition.model.wire import spec_from_proto, spec_to_proto

RAW = {
    "key": "search",
    "subject": {"kind": "agent", "id": "search-agent"},
    "metrics": [{"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}],
    "variants": [{"name": "one", "weight": 50, "control": True}, {"name": "two", "weight": 50}],
}
DEVICE = {"name": "device", "levels": ["mobile", "desktop"]}
PLAN = {"name": "plan", "levels": ["free"]}
FILE = """\
experiment: search
subject: {kind: agent, id: search-agent}
metrics:
  time: {kind: duration, goal: minimize, role: primary}
variants:
  old: {weight: 50, control: true}
  new: {weight: 50}
"""


def spec(*dimensions: Any) -> ExperimentSpec:
    return validate(ExperimentSpec, {**RAW, "dimensions": list(dimensions)})


def violations(*dimensions: Any) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        spec(*dimensions)
    return {found.field: found.description for found in caught.value.violations}


def test_levels_are_numbered_through_all_dimensions_with_other_behind_each() -> None:
    assert spec(DEVICE, PLAN).levels == (
        ("device", "mobile"),
        ("device", "desktop"),
        ("device", OTHER),
        ("plan", "free"),
        ("plan", OTHER),
    )
    assert spec().levels == ()


def test_without_dimensions_the_canonical_form_is_the_one_of_before() -> None:
    assert b"dimensions" not in spec().to_json()
    assert b'"dimensions":[{"levels":["mobile","desktop"],"name":"device"}]' in spec(DEVICE).to_json()
    assert spec(DEVICE).hash != spec(PLAN).hash


def test_everything_that_is_wrong_is_said_at_once() -> None:
    names = [f"l{number}" for number in range(MAX_LEVELS + 1)]
    assert violations({"name": "a", "levels": names})["dimensions[0].levels"] == "has 17; the limit is 1 to 16"
    assert violations({"name": "a", "levels": []})["dimensions[0].levels"] == "has 0; the limit is 1 to 16"
    assert "names 'x' 2 times" in violations({"name": "a", "levels": ["x", "x"]})["dimensions[0].levels"]
    assert "stands for every level" in violations({"name": "a", "levels": ["x", OTHER]})["dimensions[0].levels[1]"]
    found = violations(
        {"name": "A", "levels": ["no spaces"]}, PLAN, PLAN, {"name": "b", "levels": ["x"]}, {"name": "c"}
    )
    assert set(found) == {"dimensions[0].name", "dimensions[0].levels[0]", "dimensions[4].levels", "dimensions"}


def test_the_limits_are_those_of_the_core() -> None:
    full = [f"l{number}" for number in range(MAX_LEVELS)]
    most = [{"name": "a", "levels": full}, {"name": "b", "levels": full[: MAX_LEVELS_TOGETHER - MAX_LEVELS - 1]}, PLAN]
    assert len(most) == MAX_DIMENSIONS
    assert len(spec(*most).levels) == MAX_LEVELS_TOGETHER + MAX_DIMENSIONS
    assert violations({"name": "b", "levels": full}, {"name": "a", "levels": full}, PLAN) == {
        "dimensions": f"has {MAX_LEVELS_TOGETHER + 1} levels together; the limit is {MAX_LEVELS_TOGETHER}"
    }
    assert violations(DEVICE, *({"name": f"d{number}", "levels": ["x"]} for number in range(3))) == {
        "dimensions": "has 4; the limit is 3"
    }


def test_they_survive_the_wire() -> None:
    found = spec(DEVICE, PLAN)
    assert spec_from_proto(spec_to_proto(found)) == found
    message = spec_to_proto(found)
    message.dimensions[1].levels.append("free")
    with pytest.raises(InvalidArgument) as caught:
        spec_from_proto(message, "spec")
    assert [each.field for each in caught.value.violations] == ["spec.dimensions[1].levels"]


def test_they_survive_a_file() -> None:
    found = parse_experiment(FILE + "dimensions: {device: [mobile, desktop], plan: [free, 'yes']}\n")
    assert [(each.name, each.levels) for each in found.dimensions] == [
        ("device", ("mobile", "desktop")),
        ("plan", ("free", "yes")),
    ]
    assert parse_experiment(dump_experiment(found)) == found
    assert 'dimensions: {device: [mobile, desktop], plan: [free, "yes"]}' in dump_experiment(found)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("dimensions: [device]", "dimensions", "must be a mapping from name to levels"),
        ("dimensions: {device: [mobile, mobile]}", "dimensions.device", "names 'mobile' 2 times"),
        ("dimensions: {device: [mobile, other]}", "dimensions.device[1]", "stands for every level"),
        ("dimensions: {device: [mobile, 7]}", "dimensions.device[1]", "valid string"),
        ("dimensions: {device: mobile}", "dimensions.device", "tuple"),
        ("dimensions: {Device: [mobile]}", "dimensions.Device", "may only hold"),
        ("dimensions: {device: []}", "dimensions.device", "has 0; the limit is 1 to 16"),
    ],
)
def test_a_mistake_in_a_file_is_found_where_it_is(text: str, where: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_experiment(f"{FILE}{text}\n")
    (found,) = caught.value.violations
    assert (found.field, found.line) == (where, 8)
    assert what in found.description


def test_the_schema_of_the_file_describes_them() -> None:
    schema = experiment_schema()
    fields: Any = schema["properties"]
    levels = fields["dimensions"]["additionalProperties"]
    assert (fields["dimensions"]["maxProperties"], levels["maxItems"]) == (MAX_DIMENSIONS, MAX_LEVELS)
    assert "Dimension" not in str(schema["$defs"])
