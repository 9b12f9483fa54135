"""What benches measured is kept, merged, and written as it is."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from document import CHEAPEST, GENERATOR, filled
from machine import Run
from plot import PANELS, plot
from results import Results
from table import Figure, Row, Table, number, span


def run(at: str) -> Run:
    return Run(at, "abc1234", "a processor", "2 cores", "Linux 6", 0.25, {"CPython": "3.11.7"})


def table(work: str, *ours: float, target: str = "≥ 0.5") -> Table:
    made = Table()
    made.add(work, ours, "the bar", [10.0] * len(ours), unit="/s", target=target, headline=True)
    made.place("servers", "sortition, lane", "requests/s", ours)
    return made


def test_what_is_kept_is_what_was_measured(tmp_path: Path) -> None:
    results = Results()
    results.merge(run("1"), {"test_a::one": table("one", 6, 7, 8), "test_b::two": table("two", 1.23456789, 2, 3)})
    results.save(tmp_path / "results.json")
    loaded = Results.load(tmp_path / "results.json")
    assert loaded.runs == results.runs
    assert loaded.benches["test_a::one"] == results.benches["test_a::one"]
    assert loaded.benches["test_b::two"].table.rows[0].ours == (1.23457, 2.0, 3.0)
    assert Results.load(tmp_path / "none.json") == Results()


def test_a_part_that_runs_again_replaces_itself_alone() -> None:
    results = Results()
    results.merge(run("1"), {"test_a::one": table("one", 6), "test_b::two": table("two", 1)})
    results.merge(run("2"), {"test_b::two": table("two", 2)})
    assert {name: one.run for name, one in results.benches.items()} == {"test_a::one": "1", "test_b::two": "2"}
    assert set(results.runs) == {"1", "2"}
    results.merge(run("3"), {"test_a::one": table("one", 5)})
    # Nothing is left of the first run.
    assert set(results.runs) == {"2", "3"}
    results.merge(run("4"), {"test_c::three": table("three", 5)}, whole=True)
    assert set(results.benches) == {"test_c::three"}
    assert set(results.runs) == {"4"}


@pytest.mark.parametrize(
    ("target", "ours", "met"),
    [
        ("≥ 0.5", [4.0, 6.0, 5.0], True),
        ("≥ 0.5", [4.0, 6.0, 4.9], False),
        ("≤ 0.5", [4.0, 6.0, 5.1], False),
        ("≤ 5 µs", [4.0, 6.0, 5.0], True),
        ("≤ 4.5 µs", [4.0, 6.0, 5.0], False),
        ("-", [4.0, 6.0, 5.0], None),
    ],
)
def test_a_target_is_of_the_ratio_or_with_a_unit_of_our_own_figure(target: str, ours: list[float], met: bool) -> None:
    row = Row("work", ours, "bar", [10.0, 10.0, 10.0], "µs", target)
    assert row.met is met
    assert row.cells()[3].startswith("**") is (met is False)


def test_figures_have_four_digits_and_no_exponent() -> None:
    assert [number(each) for each in (189_312.4, 62.144, 0.07512, 0.0, 5_312_345.0)] == [
        "189,300",
        "62.14",
        "0.0751",
        "0",
        "5,312,000",
    ]
    assert span([3.0, 1.0, 2.0]) == "2.000 (1.000 to 3.000)"


def test_marks_are_filled_and_the_rest_stays() -> None:
    results = Results()
    results.merge(run("1"), {"test_lane::all": table("native lane", 6, 7, 8, target="≥ 0.9")})
    text = (
        "before\n<!-- measured: lane -->\nold\n<!-- end -->\nbetween\n<!-- measured: servers -->\n<!-- end -->\nafter\n"
    )
    made = filled(text, results)
    assert made.startswith("before\n<!-- measured: lane -->\n| work |")
    assert "| native lane | 7.000 (6.000 to 8.000) /s | the bar: 10.00 (10.00 to 10.00) /s | **0.70** | ≥ 0.9 |" in made
    assert "`make bench BENCH='-k test_lane'`" in made
    assert "| sortition, lane | 7.000 (6.000 to 8.000) |" in made
    assert "old" not in made
    assert made.endswith("<!-- end -->\nafter\n")
    assert filled(made, results) == made
    assert "_Not measured yet._" in filled("<!-- measured: elsewhere -->\n<!-- end -->\n", results)


def test_a_figure_near_what_the_generator_can_do_is_a_lower_bound() -> None:
    made = Table()
    for name, rate in ((CHEAPEST, 130.0), ("slow server", 99.0), ("fast server", 101.0)):
        made.place(GENERATOR, name, "requests/s", [rate])
    results = Results()
    results.merge(run("1"), {"test_lane::all": made})
    lines = filled("<!-- measured: generator -->\n<!-- end -->\n", results).splitlines()
    assert "the server's own" in next(line for line in lines if "slow" in line)
    assert "**a lower bound**" in next(line for line in lines if "fast" in line)


def test_the_plot_is_whole_in_light_and_in_dark() -> None:
    figures = [
        Figure("servers", f"sortition, <{name}>", "requests/s", [rate]) for name, rate in (("a", 90), ("b", 9e5))
    ]
    drawn = plot({"servers": figures})
    root = ElementTree.fromstring(drawn)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert PANELS[0].title in texts
    assert "sortition, <a>" in texts
    assert "900,000" in texts
    assert "prefers-color-scheme:dark" in drawn
    bars = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("class") == "ours"]
    short, long = (float(each.get("width") or 0) for each in bars)
    assert 0 < short < long
