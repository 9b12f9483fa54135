"""What docs/performance.md and the README say of speed is what benches/results.json holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from document import DOCUMENT, DOCUMENTS, MARK, PLOT, filled
from plot import plot
from results import RESULTS, Results

BENCHES = RESULTS.parent


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_documents_say_what_was_measured(path: Path) -> None:
    text = path.read_text()
    assert filled(text, Results.load()) == text, f"python benches/document.py writes {path.name} anew"


def test_the_plot_shows_what_was_measured() -> None:
    figures: dict[str, list[object]] = {}
    for one in Results.load().benches.values():
        for figure in one.table.figures:
            figures.setdefault(figure.grid, []).append(figure)
    assert PLOT.read_text() == plot(figures)  # type: ignore[arg-type]


def test_everything_that_was_measured_is_in_the_document() -> None:
    results = Results.load()
    names = [found[2] for found in MARK.finditer(DOCUMENT.read_text())]
    assert len(names) > 15
    for key, one in results.benches.items():
        assert not one.table.rows or key.partition("::")[0].removeprefix("test_") in names
        assert {figure.grid for figure in one.table.figures} <= {*names, "load generator"}


def test_every_bench_is_still_there() -> None:
    seen = 0
    for key in Results.load().benches:
        module, _, test = key.partition("::")
        name = re.escape(test.partition("[")[0])
        assert re.search(rf"^def {name}\(", (BENCHES / f"{module}.py").read_text(), re.MULTILINE), key
        seen += 1
    assert seen


def test_every_figure_is_of_three_rounds_at_least() -> None:
    few = [
        row.work
        for one in Results.load().benches.values()
        for row in one.table.rows
        if min(len(row.ours), len(row.theirs)) < 3
    ]
    assert not few
