"""Values are laid over a text, and nothing else in it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sortition.errors import InvalidArgument, SpecError
from sortition.subjectfiles.overrides import override, read_values

AGENT = """\
# The agent.
defaults: &defaults
  retries: 3   # enough
model:
  <<: *defaults
  name: 'bob'      # who
  temperature: 0.70
  stops: [a, "b"]  # both
steps:
- {name: plan, timeout: 1.0}
- name: "act"
  after:           # nothing yet
prompt: |  # what it says
  Hello,
    you there.

note: >-
  folded
  text

last: ~
"""


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        ("model.temperature", 0.2, "0.70", "0.2"),
        ("model.temperature", 1.0, "0.70", "1.0"),
        ("model.temperature", 1e22, "0.70", "1.0e+22"),
        ("model.temperature", None, "0.70", "null"),
        ("model.name", "it's", "'bob'", "'it''s'"),
        ("model.name", "a\nb", "'bob'", '"a\\nb"'),
        ("model.name", True, "'bob'", "true"),
        ("model.stops", ["c", 2, {"d": None}], '[a, "b"]', '["c", 2, {"d": null}]'),
        ("model.stops", ["😀"], '[a, "b"]', '["😀"]'),
        ("model.stops.1", "no", '"b"', '"no"'),
        ("model.stops.0", "no", "[a,", '["no",'),
        ("steps.0.timeout", 2.5, "1.0}", "2.5}"),
        ("steps.1.name", "rest", '"act"', '"rest"'),
        ("steps.1.after", "plan", "after:  ", "after: plan  "),
        ("prompt", "Good\n  day.\n", "  Hello,\n    you there.\n", "  Good\n    day.\n"),
        ("prompt", "short", "|  # what it says\n  Hello,\n    you there.\n", "|-  # what it says\n  short\n"),
        ("prompt", " begins with a blank", None, None),
        ("note", "other", ">-\n  folded\n  text\n", "|-\n  other\n"),
        ("note", 7, ">-\n  folded\n  text\n", "7\n"),
        ("last", "2024-01-01", "last: ~", 'last: "2024-01-01"'),
    ],
)
def test_a_value_is_replaced_where_it_stands(path: str, value: Any, before: str | None, after: str | None) -> None:
    made = override(AGENT, "agent.yaml", {path: value})
    if before is not None and after is not None:
        assert AGENT.count(before) >= 1
        assert made == AGENT.replace(before, after, 1)
    expected: Any = read_values(AGENT, "agent.yaml")
    node = expected
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in way:
        node = node[step]
    node[last] = value
    assert json.dumps(read_values(made, "agent.yaml")) == json.dumps(expected)


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_mark_stay(newline: str, mark: str) -> None:
    text = mark + AGENT.replace("\n", newline)
    made = override(text, "agent.yaml", {"model.temperature": 1, "prompt": "a\nb\n"})
    wanted = AGENT.replace("0.70", "1").replace("  Hello,\n    you there.\n", "  a\n  b\n")
    assert made == mark + wanted.replace("\n", newline)


def test_json_stays_json() -> None:
    text = '{\n\t"a": {"b": [1, 2.0],\t"c": "\\u00e4\\/"}\r\n}'
    made = override(text, "agent.json", {"a.b.1": True, "a.c": "ü\n"})
    assert made == '{\n\t"a": {"b": [1, true],\t"c": "ü\\n"}\r\n}'
    assert json.loads(made) == {"a": {"b": [1, True], "c": "ü\n"}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model.temperatur": 1}, r"set\.model\.temperatur: .*did you mean model\.temperature"),
        ({"steps.9.name": "x"}, "is not in the file"),
        ({"defaults.retries": 1}, "line 3.*anchor"),
        ({"model.retries": 1}, "by an alias or a merge key"),
        ({"steps": []}, "lines of its own"),
        ({"steps.0": 1}, "is a mapping"),
        ({"last": {"a": 1}}, "cannot become a mapping"),
        ({"last": float("nan")}, "cannot become this"),
        ({"model.stops": [], "model.stops.0": "x"}, "twice"),
        ({}, "1 to 64"),
        ({f"a{number}": 1 for number in range(65)}, "1 to 64"),
    ],
)
def test_what_cannot_be_laid_over_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        override(AGENT, "agent.yaml", changes)


def test_everything_that_is_refused_is_said_at_once() -> None:
    with pytest.raises(InvalidArgument) as caught:
        override(AGENT, "agent.yaml", {"nothing": 1, "steps": 1, "last": {}})
    assert [each.field for each in caught.value.violations] == ["set.nothing", "set.steps", "set.last"]


@pytest.mark.parametrize("text", ["- a", "a: !t 1", "a: 1\na: 2", "a: [", "a: 1\n---\nb: 2", "", "a: {<<: 1}"])
def test_what_is_not_one_plain_mapping_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        override(text, "agent.yaml", {"a": 1})


def test_merge_keys_bring_in_what_is_not_there_already() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  x: 0\n  <<: [*a, *b]\nd: {<<: *b, z: 3}\n"
    values = read_values(text, "agent.yaml")
    assert values["c"] == {"x": 0, "y": 1, "z": 2}
    assert values["d"] == {"z": 3, "y": 2}


def test_a_value_that_is_used_again_by_an_alias_is_left_alone() -> None:
    with pytest.raises(InvalidArgument, match=r"b \(line 1\).*anchor"):
        override("b: &b 1\nc: *b\nd: 1\n", "agent.yaml", {"d": 2, "b": 2})
    assert override("b: &b 1\nd: 1\n", "agent.yaml", {"b": 2}) == "b: &b 2\nd: 1\n"
