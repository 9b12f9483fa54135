"""The experiment file: what it means, and where it is wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortition.errors import SpecError
from sortition.model import (
    Decision,
    DecisionPolicy,
    ExperimentSpec,
    Goal,
    Metric,
    MetricKind,
    MetricRole,
    Risk,
    SubjectRef,
    Variant,
)
from sortition.model.file import dump_experiment, load_config, load_experiment, parse_experiment
from sortition.model.file_schema import experiment_schema
from sortition.model.yaml_reader import MAX_BYTES, read_yaml

EXAMPLE = """\
experiment: search-strategy
subject: {kind: agent, id: search-agent}
hypothesis: One pass with all patterns beats one pass per pattern.
unit: session
metrics:
  total_time:    {kind: duration, unit: s,  goal: minimize, role: primary}
  query_latency: {kind: duration, unit: ms, goal: minimize, quantiles: [0.5, 0.95]}
  found_all:     {kind: binary, goal: maximize, role: guardrail, margin: 0.01}
  bytes_read:    {kind: continuous, unit: B, goal: minimize}
variants:
  sequential: {weight: 33, control: true, config: {strategy: sequential}}
  combined:   {weight: 33, config: {strategy: combined}}
  pooled:     {weight: 34, config: {strategy: pooled, workers: 2}}
decision: {min_samples: 300, confidence: 0.95, mde: 0.05, max_days: 14}
"""


def places(text: str | bytes) -> list[tuple[int | None, int | None, str]]:
    """Returns line, column and field of every violation of a bad file."""
    with pytest.raises(SpecError) as caught:
        parse_experiment(text)
    return [(each.line, each.column, each.field) for each in caught.value.violations]


def test_example() -> None:
    assert parse_experiment(EXAMPLE) == ExperimentSpec(
        key="search-strategy",
        subject=SubjectRef(kind="agent", id="search-agent"),
        hypothesis="One pass with all patterns beats one pass per pattern.",
        metrics=(
            Metric(
                name="total_time", kind=MetricKind.DURATION, unit="s", goal=Goal.MINIMIZE, role=MetricRole.PRIMARY
            ),
            Metric(
                name="query_latency", kind=MetricKind.DURATION, unit="ms", goal=Goal.MINIMIZE, quantiles=(0.5, 0.95)
            ),
            Metric(
                name="found_all", kind=MetricKind.BINARY, goal=Goal.MAXIMIZE, role=MetricRole.GUARDRAIL, margin=0.01
            ),
            Metric(name="bytes_read", kind=MetricKind.CONTINUOUS, unit="B", goal=Goal.MINIMIZE),
        ),
        variants=(
            Variant(name="sequential", weight=Decimal(33), control=True, config={"strategy": "sequential"}),
            Variant(name="combined", weight=Decimal(33), config={"strategy": "combined"}),
            Variant(name="pooled", weight=Decimal(34), config={"strategy": "pooled", "workers": 2}),
        ),
        decision=Decision(min_samples=300),
    )  # fmt: skip


def test_every_field() -> None:
    text = EXAMPLE.replace(
        "unit: session", "unit: user\norganization: acme\nname: N\ndescription: D\nexternal_assignment: true"
    )
    text = text.replace("max_days: 14}", "max_days: 2.5, max_samples: 500, power: 0.9, policy: sequential, risk: high}")
    spec = parse_experiment(text)
    assert (spec.unit, spec.organization, spec.name, spec.description) == ("user", "acme", "N", "D")
    assert spec.external_assignment
    assert spec.decision == Decision(
        min_samples=300, max_days=2.5, max_samples=500, power=0.9, policy=DecisionPolicy.SEQUENTIAL, risk=Risk.HIGH
    )


@pytest.mark.parametrize("word", ["no", "on", "Yes", "off", "y", "2026-01-31", "1:30", "0b11", "1_000", "NO"])
def test_these_are_text(word: str) -> None:
    # YAML 1.1 made booleans, dates, sexagesimals and grouped numbers of them.
    spec = parse_experiment(EXAMPLE.replace("strategy: combined", f"strategy: {word}"))
    assert spec.variants[1].config == {"strategy": word}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("12", 12), ("-3", -3), ("0o17", 15), ("0x1F", 31), ("1e3", 1000), (".5", 0.5), ("1.25E-2", 0.0125),
        ("true", True), ("False", False), ("~", None), ("null", None), ("", None), ("'12'", "12"), ('"null"', "null"),
    ],
)  # fmt: skip
def test_core_schema(scalar: str, value: object) -> None:
    # YAML 1.2.2, section 10.3.2.
    config = parse_experiment(EXAMPLE.replace("strategy: combined", f"strategy: {scalar}")).variants[1].config
    assert config == {"strategy": value}
    assert type(config["strategy"]) is type(value)


@pytest.mark.parametrize("scalar", [".inf", "-.INF", ".nan", "1e999"])
def test_what_json_cannot_say_is_refused(scalar: str) -> None:
    assert places(EXAMPLE.replace("strategy: combined", f"strategy: {scalar}")) == [
        (12, 28, "variants.combined.config")
    ]


# What is replaced, by what, and where that is wrong; and whether a JSON schema can say so.
BAD: list[tuple[str, str, list[tuple[int, int, str]], bool]] = [
    ("experiment: search-strategy", "experiment: Search", [(1, 13, "experiment")], True),
    ("experiment: search-strategy", "experiment: 2024", [(1, 13, "experiment")], True),
    ("experiment: search-strategy\n", "", [(1, 1, "experiment")], True),
    ("experiment:", "key: x\nexperiment:", [(1, 6, "key")], True),
    ("unit: session", "unit: [session]", [(4, 1, "unit")], True),
    ("unit: session", "units: session", [(4, 8, "units")], True),
    ("kind: agent", "kind: A", [(2, 17, "subject.kind")], True),
    (", id: search-agent", "", [(2, 1, "subject.id")], True),
    ("{kind: agent, id: search-agent}", "search-agent", [(2, 10, "subject")], True),
    ("kind: continuous", "kind: numeric", [(9, 25, "metrics.bytes_read.kind")], True),
    ("kind: continuous, ", "", [(9, 3, "metrics.bytes_read.kind")], True),
    ("bytes_read: ", "Bytes: ", [(9, 3, "metrics.Bytes")], True),
    ("unit: B,", "name: b,", [(9, 43, "metrics.bytes_read.name")], True),
    ("[0.5, 0.95]", "[0.5, 95]", [(7, 78, "metrics.query_latency.quantiles[1]")], True),
    ("[0.5, 0.95]", "[0.5, x]", [(7, 78, "metrics.query_latency.quantiles[1]")], True),
    ("margin: 0.01", "margin: 1", [(8, 74, "metrics.found_all.margin")], True),
    ("role: primary", "role: secondary", [(5, 1, "metrics")], False),
    ("weight: 34", "weight: 33", [(10, 1, "variants")], False),
    ("weight: 34", "weight: heavy", [(13, 24, "variants.pooled.weight")], False),
    ("weight: 34", "weight: 101", [(13, 24, "variants.pooled.weight")], True),
    ("weight: 34", "weight: 33.999", [(13, 24, "variants.pooled.weight")], False),
    ("weight: 34, ", "", [(13, 3, "variants.pooled.weight")], True),
    ("control: true", "control: yes", [(10, 1, "variants"), (11, 37, "variants.sequential.control")], True),
    ("control: true", "control: false", [(10, 1, "variants")], False),
    ("config: {strategy: combined}", "config: [1]", [(12, 28, "variants.combined.config")], True),
    ("config: {strategy: combined}", "config: ~", [(12, 28, "variants.combined.config")], True),
    ("{weight: 33, config: {strategy: combined}}", "33", [(12, 15, "variants.combined")], True),
    ("  combined: ", "  com bined: ", [(12, 3, "variants.com bined")], True),
    ("mde: 0.05", "mde: 11", [(14, 53, "decision.mde")], True),
    ("mde: 0.05", "max_samples: 100", [(14, 61, "decision.max_samples")], False),
    ("min_samples: 300", "min_samples: no", [(14, 25, "decision.min_samples")], True),
    ("min_samples: 300", "min_samples: 300.5", [(14, 25, "decision.min_samples")], True),
    ("confidence: 0.95", "confidence: 95", [(14, 42, "decision.confidence")], True),
]


def spoiled(old: str, new: str) -> str:
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new, 1)


@pytest.mark.parametrize(("old", "new", "expected", "_"), BAD, ids=[new or f"no {old}" for old, new, _, _ in BAD])
def test_bad_files_name_every_place(old: str, new: str, expected: list[tuple[int, int, str]], _: bool) -> None:
    assert places(spoiled(old, new)) == expected


def test_all_violations_come_at_once_and_in_order() -> None:
    text = spoiled("experiment: search-strategy", "experiment: S")
    text = (
        text.replace("kind: binary", "kind: yes/no")
        .replace("weight: 33,", "weight: x,")
        .replace("mde: 0.05", "mde: 11")
    )
    assert [field for _, _, field in places(text)] == [
        "experiment", "metrics.found_all.kind", "variants.sequential.weight", "variants.combined.weight",
        "decision.mde",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("experiment: [a\n", 2, 1, "expected"),
        ("a: b: c\n", 1, 5, "mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", 2, 1, "second document"),
        ("a: *b\n", 1, 4, "names nothing"),
        ("a: &b [*b]\n", 1, 8, "names nothing"),
        ("[a]: 1\n", 1, 1, "must be text"),
        ("a: " + "[" * 100 + "]" * 100, 1, 67, "deeper than 64"),
    ],
)
def test_what_cannot_be_read_at_all(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_experiment(text)
    (violation,) = caught.value.violations
    assert (violation.line, violation.column) == (line, column)
    assert words in violation.description


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff\xfe\xfa", b"a: \x00", b"a: " + b"x" * MAX_BYTES])
def test_what_is_no_text_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(SpecError) as caught:
        parse_experiment(content)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 200


def test_other_documents_are_refused() -> None:
    for text in ("- a\n", "just words\n", "5\n"):
        assert places(text) == [(1, 1, "")]


def test_duplicates_tags_and_merges_are_refused_beside_the_rest() -> None:
    text = spoiled("unit: session", "unit: session\nunit: user").replace("33, control", "!!int 33, control")
    text = text.replace("mde: 0.05", "<<: {mde: 0.05}")
    assert [(line, field) for line, _, field in places(text)] == [(5, ""), (12, ""), (15, "")]


def test_aliases_are_read_and_bounded() -> None:
    spec = parse_experiment(
        EXAMPLE.replace("{strategy: sequential}", "&c {strategy: s}").replace("{strategy: combined}", "*c")
    )
    assert spec.variants[0].config == spec.variants[1].config == {"strategy": "s"}
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    with pytest.raises(SpecError, match="cannot be read") as caught:
        parse_experiment(bomb)
    assert "more than 50000 values" in str(caught.value.violations[0])


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    with pytest.raises(SpecError, match=r"e\.yaml cannot be read: No such file"):
        load_experiment(path)
    path.write_text("\ufeff" + EXAMPLE.replace("\n", "\r\n"), encoding="utf-8")
    assert load_experiment(path) == parse_experiment(EXAMPLE)
    path.write_text("a: {b: [1, 2.0, no]}\n")
    assert load_config(path) == {"a": {"b": [1, 2, "no"]}}
    for bad in ("[1]", "a: .nan", "a: 1\na: 2"):
        path.write_text(bad)
        with pytest.raises(SpecError, match="is not a configuration") as caught:
            load_config(path)
        assert caught.value.violations[0].line


KEYS = st.from_regex(r"[a-z0-9._-]{1,12}", fullmatch=True)
# Every character that UTF-8 can hold, and many that YAML treats in its own way.
WORDS = st.text(max_size=12) | st.sampled_from(
    ["no", "~", "1e3", "0x1", " a ", "#", "a: b", "- a", "\x00", "\x85", "\u2028", "\ufeff", "😀", "'\"", "<<"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def specs(draw: st.DrawFn) -> ExperimentSpec:
    names = draw(st.lists(KEYS, min_size=2, max_size=4, unique=True))
    first = draw(st.integers(0, 10_000))
    weights = [first, 10_000 - first] + [0] * (len(names) - 2)
    metrics = [
        {
            "name": name,
            "kind": draw(st.sampled_from(["continuous", "duration", "count"])),
            "goal": draw(st.sampled_from(["maximize", "minimize"])),
            "role": "primary" if not index else draw(st.sampled_from(["secondary", "guardrail"])),
            "unit": draw(WORDS),
            "quantiles": draw(st.lists(st.floats(0.001, 0.999), max_size=3, unique=True)),
            "min": draw(st.none() | st.floats(-1e6, 0)),
            "cap_max": draw(st.none() | st.floats(0, 1e100)),
        }
        for index, name in enumerate(names)
    ]
    return ExperimentSpec.model_validate(
        {
            "key": draw(KEYS),
            "organization": draw(KEYS),
            "subject": {"kind": draw(KEYS), "id": draw(KEYS)},
            "hypothesis": draw(WORDS),
            "metrics": metrics,
            "variants": [
                {
                    "name": name,
                    "weight": weight / 100,
                    "control": not index,
                    "config": draw(st.dictionaries(WORDS, JSON, max_size=3)),
                }
                for index, (name, weight) in enumerate(zip(names, weights, strict=True))
            ],
            "decision": {
                "min_samples": draw(st.integers(2, 10**6)),
                "mde": draw(st.floats(0, 10)),
                "risk": draw(st.sampled_from(["normal", "high"])),
            },
            "external_assignment": draw(st.booleans()),
        }
    )


@given(specs())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_again(spec: ExperimentSpec) -> None:
    assert parse_experiment(dump_experiment(spec)) == spec


def test_what_is_written_is_as_short_as_what_people_write() -> None:
    assert dump_experiment(parse_experiment(EXAMPLE)).splitlines()[:6] == [
        "experiment: search-strategy",
        "subject: {kind: agent, id: search-agent}",
        "hypothesis: One pass with all patterns beats one pass per pattern.",
        "metrics:",
        "  total_time: {kind: duration, unit: s, goal: minimize, role: primary}",
        "  query_latency: {kind: duration, unit: ms, goal: minimize, quantiles: [0.5, 0.95]}",
    ]


@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@#~ \n\t0.", max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    # Anything but an error of its own fails the test.
    refused = None
    try:
        read_yaml(text, "it")
    except SpecError as error:
        refused = str(error)
    assert refused is None or "it" in refused or "line" in refused


# --- the schema ---


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = experiment_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_schema_takes_the_example(validator: Any) -> None:
    assert validator.is_valid(read_yaml(EXAMPLE, "example")[0].plain())


@given(specs())
@settings(max_examples=50, deadline=None)
def test_schema_takes_whatever_is_a_specification(spec: ExperimentSpec) -> None:
    raw = read_yaml(dump_experiment(spec), "it")[0].plain()
    assert jsonschema.Draft202012Validator(experiment_schema()).is_valid(raw)


@pytest.mark.parametrize(("old", "new", "_", "said"), BAD, ids=[new or f"no {old}" for old, new, _, _ in BAD])
def test_schema_refuses_what_a_schema_can(validator: Any, old: str, new: str, _: object, said: bool) -> None:
    assert validator.is_valid(read_yaml(spoiled(old, new), "bad")[0].plain()) is not said


def test_schema_knows_every_field_with_its_description() -> None:
    schema: Any = experiment_schema()
    assert json.loads(json.dumps(schema)) == schema
    # What is in a file is no field of a specification: it becomes configurations.
    fields = set(ExperimentSpec.model_fields) - {"key"} | {"experiment", "file"}
    assert set(schema["properties"]) == fields
    parts = [schema, *(schema["$defs"][name] for name in ("Metric", "Variant", "Decision", "SubjectRef"))]
    for part in parts:
        assert part["additionalProperties"] is False
        assert all(field.get("description") for field in part["properties"].values()), part
    assert set(schema["$defs"]["Metric"]["properties"]) == set(Metric.model_fields) - {"name"}
    assert set(schema["$defs"]["Variant"]["properties"]) == set(Variant.model_fields) - {"name"} | {"file", "set"}
