"""Rows of a CSV file: what is read, what is refused, and what is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from sortition.cli.imports.declare import observed_weights
from sortition.cli.imports.plan import MetricColumn, Missing, Plan, assignments, metric_columns
from sortition.cli.imports.rows import BadRow, Left, Row, Rows, read_header
from sortition.cli.imports.survey import survey
from sortition.cli.imports.values import accept_all, check_against
from sortition.errors import InvalidArgument
from sortition.rpc.v1.experiment_pb2 import Metric

HEADER = "id,arm,y,when,n\n"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        path=tmp_path / "data.csv", delimiter=",", unit="id", variant="arm", time="", metrics=(MetricColumn("y", "y"),),
        names={"0": "a", "1": "b"}, missing=Missing.REFUSE, skip_bad=False,
    )  # fmt: skip


def rows(plan: Plan, body: str, header: str = HEADER) -> list[Row | BadRow | Left]:
    plan.path.write_bytes((header + body).encode())
    return list(Rows(plan, accept_all))


def test_rows_know_their_line(plan: Plan) -> None:
    assert rows(plan, 'u1,0,1.5,,\n\n"two\nlines",c,-2e3,,\n') == [
        Row(2, "u1", "a", (1.5,), (None,), 0),
        Row(5, "two\nlines", "c", (-2000.0,), (None,), 0),
    ]


def test_bom_and_windows_line_ends(plan: Plan) -> None:
    assert rows(plan, "u1,0,true,,\r\n", "\ufeffid, arm ,y,when,n\r\n") == [Row(2, "u1", "a", (1.0,), (None,), 0)]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ("u1,0\n", ("has 2 cells; the header has 5",)),
        ("u1,0,x,,\n", ("y is not a finite number: 'x'",)),
        ("u1,0,1_000,,\n", ("y is not a finite number: '1_000'",)),
        ("u1,0,1e999,,\n", ("y is not a finite number: '1e999'",)),
        ("u1,0,inf,,\n", ("y is not a finite number: 'inf'",)),
        ("u1,0,,,\n", ("y is missing; see --missing",)),
        (",0,NA,,\n", ("id is missing; see --missing", "y is missing; see --missing")),
        (f"{'ü' * 300},0,1,,\n", ("id has 600 bytes; the limit is 512",)),
    ],
)
def test_bad_rows_say_everything(plan: Plan, body: str, problems: tuple[str, ...]) -> None:
    assert rows(plan, body) == [BadRow(2, problems)]


def test_missing_values(plan: Plan) -> None:
    body = "u1,0,1,,2\nu2,0,NaN,,3\nu3,,1,,1\nu4,1,null,,NA\n"
    two = replace(plan, metrics=(MetricColumn("y", "y"), MetricColumn("n", "n")))
    assert rows(replace(two, missing=Missing.VALUE), body) == [
        Row(2, "u1", "a", (1.0, 2.0), (None, None), 0),
        Row(3, "u2", "a", (None, 3.0), (None, None), 0),
        # Who it was, or where, cannot be left out.
        BadRow(4, ("arm is missing; only values of metrics may be",)),
        Left(5),
    ]
    assert rows(replace(two, missing=Missing.ROW), body) == [
        Row(2, "u1", "a", (1.0, 2.0), (None, None), 0), Left(3), Left(4), Left(5),
    ]  # fmt: skip


def test_ratios(plan: Plan) -> None:
    ratio = replace(plan, metrics=(MetricColumn("y", "y", "n"),), missing=Missing.VALUE)
    assert rows(ratio, "u1,0,3,,4\nu2,0,3,,0\nu3,0,3,,\n") == [
        Row(2, "u1", "a", (3.0,), (4.0,), 0),
        BadRow(3, ("n must be a number above 0, but is '0'",)),
        Left(4),
    ]


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-01-31T12:00:00Z", 1_769_860_800_000),
        ("2026-01-31T13:00:00+01:00", 1_769_860_800_000),
        ("2026-01-31 12:00:00", 1_769_860_800_000),
        ("2026-01-31", 1_769_817_600_000),
        ("1769860800", 1_769_860_800_000),
        ("1769860800.5", 1_769_860_800_500),
        ("1769860800000", 1_769_860_800_000),
    ],
)
def test_times(plan: Plan, text: str, at_ms: int) -> None:
    # By `date -u -d 2026-01-31T12:00:00Z +%s`.
    (row,) = rows(replace(plan, time="when"), f"u1,0,1,{text},\n")
    assert isinstance(row, Row)
    assert row.occurred_at_ms == at_ms


@pytest.mark.parametrize("text", ["yesterday", "31.01.2026", "1e300", "-5"])
def test_no_times(plan: Plan, text: str) -> None:
    (row,) = rows(replace(plan, time="when"), f"u1,0,1,{text},\n")
    assert isinstance(row, BadRow)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"id,arm\n", "has no column called 'y'"),
        (b"id,arm,y,y\n", "has 2 columns called 'y'"),
        (b'id,arm,y\n"a', "no CSV file in line 2"),
        (b'id,arm,y\na"b"c",1,"2"x\n', "no CSV file"),
        (b"id,arm,y\n\xff,0,1\n", "is not UTF-8"),
    ],
)
def test_what_is_no_file_of_rows(plan: Plan, content: bytes, words: str) -> None:
    plan.path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=words):
        list(Rows(plan, accept_all))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="No such file"):
        read_header(tmp_path / "none.csv", ",")
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_header(tmp_path, ",")


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        (Metric(kind="METRIC_KIND_BINARY"), 0.5, "0 or 1"),
        (Metric(kind="METRIC_KIND_DURATION"), -1.0, "must not be negative"),
        (Metric(kind="METRIC_KIND_COUNT"), 1.5, "whole number"),
        (Metric(kind="METRIC_KIND_COUNT"), -1.0, "must not be negative"),
        (Metric(kind="METRIC_KIND_CONTINUOUS", min=2), 1.0, "below the metric's min 2"),
        (Metric(kind="METRIC_KIND_CONTINUOUS", max=2), 3.0, "above the metric's max 2"),
    ],
)
def test_values_a_metric_does_not_take(metric: Metric, value: float, words: str) -> None:
    check = check_against([metric])
    assert words in (check(0, value) or "")
    assert check(0, 1.0 if metric.kind != 2 else 2.0) is None


def test_survey(plan: Plan) -> None:
    found = survey(plan, rows(plan, "u1,0,1,,\nu2,1,0,,\nu1,0,0.5,,\nu3,1,1,,\n"), {"a", "b"})
    assert (found.rows, found.good, found.units, found.variants) == (4, 4, 3, Counter(a=2, b=2))
    assert found.binary == [False]
    assert survey(plan, rows(plan, "u1,0,1,,\nu2,1,0,,\n"), None).binary == [True]


def test_survey_refuses_all_or_skips_and_counts(plan: Plan) -> None:
    body = "u1,0,1,,\nu1,1,1,,\nu2,x,1,,\nu3,1,y,,\n"
    with pytest.raises(InvalidArgument, match="3 of 4 rows") as caught:
        survey(plan, rows(plan, body), {"a", "b"})
    assert [str(each) for each in caught.value.violations] == [
        "line 3: unit 'u1' is in variant b, but was in a before",
        "line 4: arm names 'x', which is no variant of the experiment; see --map",
        "line 5: y is not a finite number: 'y'",
    ]
    skipping = replace(plan, skip_bad=True)
    found = survey(skipping, rows(skipping, body), {"a", "b"})
    assert (found.good, found.bad) == (1, 3)
    with pytest.raises(InvalidArgument, match="no row that can be imported"):
        survey(skipping, rows(skipping, "u1,0,z,,\n"), None)


def test_only_the_first_problems_are_kept(plan: Plan) -> None:
    with pytest.raises(InvalidArgument, match="500 of 500 rows") as caught:
        survey(plan, rows(plan, "u,0,x,,\n" * 500), None)
    assert len(caught.value.violations) == 20


def test_columns() -> None:
    assert metric_columns(["Total Time", "y=z", "a=b"], {"z": "n"}, ["a=b"]) == (
        MetricColumn("Total Time", "total_time"), MetricColumn("y", "z", "n"), MetricColumn("a=b", "a_b"),
    )  # fmt: skip
    with pytest.raises(InvalidArgument, match="names 'y' twice"):
        metric_columns(["y", "x=y"], {}, [])
    with pytest.raises(InvalidArgument, match="'q' is no --metric"):
        metric_columns(["y"], {"q": "n"}, [])


def test_assignments() -> None:
    assert assignments("--map", ["1=a", "x=y=b"]) == {"1": "a", "x=y": "b"}
    with pytest.raises(InvalidArgument) as caught:
        assignments("--map", ["1", "2=", "3=a", "3=b"])
    assert len(caught.value.violations) == 3


@pytest.mark.parametrize("counts", [{"a": 1, "b": 1, "c": 1}, {"a": 260, "b": 185}, {"a": 1, "b": 10**6}, {"a": 7}])
def test_observed_weights_sum_to_a_hundred(counts: dict[str, int]) -> None:
    weights = observed_weights(Counter(counts))
    points = {name: int(weight.replace(".", "")) for name, weight in weights.items()}
    assert sum(points.values()) == 10_000
    total = sum(counts.values())
    assert all(abs(points[name] - 10_000 * count / total) < 1 for name, count in counts.items())
