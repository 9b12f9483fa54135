"""Writes what was measured into the documents, between their marks.

    python benches/document.py        writes them again from benches/results.json

A mark is ``<!-- measured: NAME -->``, and what stands between it and ``<!-- end -->`` is written here: the ratios of
the bench module ``test_NAME``, a grid by its name, or one of ``environment``, ``generator``, ``missed``, ``plot`` and
``summary``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from plot import plot
from results import Measured, Results
from table import Figure, Row, Table, ratio_text, span

__all__ = ["CHEAPEST", "DOCUMENT", "DOCUMENTS", "GENERATOR", "MARK", "PLOT", "filled", "lines", "part", "write"]

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
"""The document that has everything."""
DOCUMENTS = (DOCUMENT, ROOT / "README.md")
"""Those that may have marks."""
PLOT = ROOT / "docs" / "performance.svg"
MARK = re.compile(r"(<!-- measured: ([\w ,-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""What is filled."""

GENERATOR = "load generator"
"""The grid of what the load generator reached, and its row for the cheapest server there is."""
CHEAPEST = "cheapest server"
# A generator that could do no more than this against a cheaper server may have been what was measured.
_ENOUGH = 1.3
_NOTHING = "_Not measured yet._\n"
_RATIOS = ("work", "sortition", "beside it", "ratio", "target")


def write(results: Results) -> list[Path]:
    """Fills the marks of all documents and draws the plot; returns what was written."""
    written = []
    for path in DOCUMENTS:
        text = path.read_text()
        if MARK.search(text):
            path.write_text(filled(text, results))
            written.append(path)
    PLOT.write_text(plot(_grids(results)))
    return [*written, PLOT]


def filled(text: str, results: Results) -> str:
    """Returns a document with everything between its marks written anew."""

    def between(found: re.Match[str]) -> str:
        return found[1] + (part(found[2], results) or _NOTHING) + found[3]

    return MARK.sub(between, text)


def part(name: str, results: Results) -> str:
    """Returns what stands at a mark; nothing where nothing was measured."""
    if name in _PARTS:
        return _PARTS[name](results)
    module = f"test_{name}"
    rows = [row for one in results.of(module) for row in one.table.rows]
    if rows:
        return _markdown(_RATIOS, [row.cells() for row in rows]) + _command([module], results.of(module), results)
    return _grid(name, results)


def lines(table: Table) -> list[str]:
    """Returns what a bench measured, for a terminal."""
    rows = [" | ".join(row.cells()) for row in table.rows]
    return rows + [f"{one.grid} | {one.row} | {one.column} | {span(one.values)}" for one in table.figures]


def _grids(results: Results) -> dict[str, list[Figure]]:
    """Returns the figures by their grid, in order."""
    found: dict[str, list[Figure]] = {}
    for one in results.benches.values():
        for figure in one.table.figures:
            found.setdefault(figure.grid, []).append(figure)
    return found


def _grid(name: str, results: Results) -> str:
    figures = _grids(results).get(name)
    if not figures:
        return ""
    columns = list(dict.fromkeys(one.column for one in figures))
    places = {(one.row, one.column): span(one.values) for one in figures}
    rows = [
        [row, *(places.get((row, column), "–") for column in columns)] for row in dict.fromkeys(f.row for f in figures)
    ]
    said = {key: one for key, one in results.benches.items() if any(f.grid == name for f in one.table.figures)}
    modules = dict.fromkeys(key.partition("::")[0] for key in said)
    return _markdown(["", *columns], rows, figures=True) + _command(modules, said.values(), results)


def _generator(results: Results) -> str:
    """What the load generator reached beside what it can: where that is near, a figure is a lower bound."""
    figures = _grids(results).get(GENERATOR)
    if not figures:
        return ""
    most = next(one.values for one in figures if one.row == CHEAPEST)
    rows = []
    for one in figures:
        if one.row == CHEAPEST:
            rows.append([f"{one.row}: what the generator can do", span(one.values), "", ""])
            continue
        room = median(most) / median(one.values)
        said = "the server's own" if room >= _ENOUGH else "**a lower bound**: the generator may have been the limit"
        rows.append([one.row, span(one.values), ratio_text([room]), said])
    benches = [one for one in results.benches.values() if any(f.grid == GENERATOR for f in one.table.figures)]
    return _markdown(("load on", "requests/s", "the generator could do ×", "the figure is"), rows) + _command(
        ["test_lane"], benches, results
    )


def _summary(results: Results) -> str:
    rows = [row for one in results.benches.values() for row in one.table.rows if row.headline]
    return _markdown(_RATIOS, [row.cells() for row in rows]) if rows else ""


def _missed(results: Results) -> str:
    """Names the targets that were missed."""
    rows = [row for one in results.benches.values() for row in one.table.rows]
    judged = [row for row in rows if row.met is not None]
    missed = [row for row in judged if row.met is False]
    if not judged:
        return ""
    said = [f"- {_against(row)}: {ratio_text(row.ratios)}, target {row.target}" for row in missed]
    return "\n".join([f"{len(judged) - len(missed)} of {len(judged)} targets were met. Missed:", "", *said, ""])


def _against(row: Row) -> str:
    return f"{row.work}, beside {row.beside}"


def _environment(results: Results) -> str:
    if not results.runs:
        return ""
    text = []
    for run in results.runs.values():
        versions = ", ".join(f"{name} {number}" for name, number in run.versions.items())
        text.append(
            f"- **{run.at}**, revision {run.revision}: {run.cpu}, {run.cores}; {run.system}; {versions}. "
            f"In the minute before, {run.load:.2g} cores were busy with something else."
        )
    return "\n".join(text) + "\n"


def _plot(results: Results) -> str:
    if not _grids(results):
        return ""
    return "![What was measured, as bars: requests a second, and nanoseconds of a call in process](performance.svg)\n"


_PARTS: dict[str, Callable[[Results], str]] = {
    "environment": _environment,
    "generator": _generator,
    "missed": _missed,
    "plot": _plot,
    "summary": _summary,
}


def _command(modules: Iterable[str], said: Iterable[Measured], results: Results) -> str:
    """Returns the line below a table: what makes it again and, where there were several runs, in which it was made."""
    command = f"\n`make bench BENCH='-k \"{' or '.join(modules)}\"'`"
    if len(results.runs) > 1:
        command += f" (run of {', '.join(sorted({one.run for one in said}))})"
    return command.replace('-k "', "-k ").replace("\"'", "'") + "\n" if " or " not in command else command + "\n"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = False) -> str:
    rule = ["---"] + ["--:" if figures else "---"] * (len(head) - 1)
    return "".join(f"| {' | '.join(line)} |\n" for line in _lines(head, rule, rows))


def _lines(head: Sequence[str], rule: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    yield head
    yield rule
    yield from rows


if __name__ == "__main__":
    for made in write(Results.load()):
        print(made)
