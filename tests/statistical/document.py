"""Writes the results into docs/statistics.md, between its marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from statistical.answers import DECIDES
from statistical.results import Result
from statistical.scenarios import LOOKS, SCENARIOS, Kind, Metric, Scenario
from statistical.tally import error_bar, uniformity
from statistical.verdict import seen, uniform

__all__ = ["DOCUMENT", "TABLES", "filled", "write"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"
_MARK = re.compile(r"(<!-- simulated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NONE = "–"
_METRICS = {
    Metric.MEAN: "mean",
    Metric.RATIO: "ratio",
    Metric.CUPED: "CUPED",
    Metric.MEDIAN: "median",
    Metric.P95: "p95",
}
# Where nothing is promised: an error rate that is worth a word.
_ALARMING = 0.06

Results = dict[str, Result]
Row = Sequence[str]


def write(folder: Path) -> None:
    """Fills the tables of the document with the results of a folder."""
    DOCUMENT.write_text(filled(DOCUMENT.read_text(), folder))


def filled(text: str, folder: Path) -> str:
    """Returns the text with the tables of a folder's results in it."""
    results = {one.scenario.key: one for one in (Result.load(scenario, folder) for scenario in SCENARIOS)}

    def table(found: re.Match[str]) -> str:
        head, *rows = TABLES[found.group(2)](results)
        lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
        return found.group(1) + "".join(f"| {' | '.join(line)} |\n" for line in lines) + found.group(3)

    return _MARK.sub(table, text)


def _rate(result: Result | None, method: str = DECIDES) -> str:
    """Such as "4.92 ± 0.30"; bold where a promise is broken."""
    if result is None or not result.tally.runs or method not in result.tally.methods:
        return _NONE
    tally, scenario = result.tally, result.scenario
    number = seen(scenario, tally.methods[method])
    low, high = error_bar(number, tally.runs)
    text = f"{100 * number / tally.runs:.2f} ± {50 * (high - low):.2f}"
    if method != DECIDES:
        return text
    least, most = scenario.bounds if scenario.promised else (0.0, 1.0 if scenario.effect else _ALARMING)
    return text if least <= number / tally.runs <= most else f"**{text}**"


def _of(results: Results, kind: Kind, metric: Metric, name: str) -> Result | None:
    return results.get(Scenario(name, kind, metric, SCENARIOS[0].population, 0, 0).key)


def _named(kind: Kind, metric: Metric | None = None) -> list[str]:
    """Returns the names of data that is not harsh, each once."""
    chosen = (
        one.name for one in SCENARIOS if one.kind is kind and not one.harsh and (metric is None or one.metric is metric)
    )
    return list(dict.fromkeys(chosen))


def _one_look(kind: Kind) -> Callable[[Results], Iterator[Row]]:
    def rows(results: Results) -> Iterator[Row]:
        yield ["data", *_METRICS.values()]
        for name in _named(kind):
            yield [name, *(_rate(_of(results, kind, metric, name)) for metric in _METRICS)]

    return rows


def _beside(results: Results) -> Iterator[Row]:
    yield ["data", "decides", "observations", "days as independent", "p95: decides", "p95: independent ranks"]
    for name in _named(Kind.ERROR):
        mean, p95 = (_of(results, Kind.ERROR, metric, name) for metric in (Metric.MEAN, Metric.P95))
        columns = [_rate(mean, method) for method in (DECIDES, "observations", "days as independent")]
        yield [name, *columns, _rate(p95), _rate(p95, "independent ranks")]


def _uniform(results: Results) -> Iterator[Row]:
    metrics = [metric for metric in _METRICS if metric.quantile is None]
    yield ["data", *(_METRICS[metric] for metric in metrics)]
    for name in _named(Kind.ERROR):
        found = [_of(results, Kind.ERROR, metric, name) for metric in metrics]
        if all(one is not None and uniform(one.scenario) for one in found):
            yield [name, *(_ks(one) for one in found)]


def _ks(result: Result | None) -> str:
    if result is None or not result.tally.runs:
        return _NONE
    return f"{uniformity(result.tally.methods[DECIDES].p):.3f}"


def _peeking(results: Results) -> Iterator[Row]:
    yield [
        "data",
        "mean",
        "ratio",
        "CUPED",
        "by groups",
        "by observations",
        "five planned looks",
        "one look",
        "peeking",
    ]
    for name in _named(Kind.PEEKING, Metric.MEAN):
        mean, ratio, adjusted = (
            _of(results, Kind.PEEKING, metric, name) for metric in (Metric.MEAN, Metric.RATIO, Metric.CUPED)
        )
        others = ("groups of units", "observations", "planned looks", "last look", "peeking")
        yield [name, _rate(mean), _rate(ratio), _rate(adjusted), *(_rate(mean, method) for method in others)]


def _tracking(results: Results) -> Iterator[Row]:
    yield ["data", "confidence sequence", "five planned looks", "one look", f"any of {LOOKS} ordinary intervals"]
    for name in _named(Kind.TRACKING):
        found = _of(results, Kind.TRACKING, Metric.MEAN, name)
        yield [name, *(_rate(found, method) for method in (DECIDES, "planned looks", "last look", "peeking"))]


def _splits(results: Results) -> Iterator[Row]:
    yield ["split", "e-process, ever", "chi-square, one look", "chi-square, ever"]
    for one in SCENARIOS:
        if one.metric is Metric.SPLIT:
            found = results.get(one.key)
            yield [one.name, *(_rate(found, method) for method in (DECIDES, "last look", "peeking"))]


def _harsh(results: Results) -> Iterator[Row]:
    yield ["data", "compared", "control", "treatment", "decides", "observations", "groups of units"]
    for one in SCENARIOS:
        if one.kind is Kind.ERROR and one.harsh:
            found = results.get(one.key)
            sizes = f"{one.control:,}", f"{one.treatment:,}"
            others = [_rate(found, method) for method in ("observations", "groups of units")]
            yield [one.name, _METRICS[one.metric], *sizes, _rate(found), *others]


def _harsh_looks(results: Results) -> Iterator[Row]:
    yield ["data", "control", "treatment", "decides", "by observations", "by groups of units", "one look", "peeking"]
    for one in SCENARIOS:
        if one.kind is Kind.PEEKING and one.harsh:
            found = results.get(one.key)
            sizes = f"{one.control:,}", f"{one.treatment:,}"
            others = [_rate(found, method) for method in ("observations", "groups of units", "last look", "peeking")]
            yield [one.name, *sizes, _rate(found), *others]


def _progress(results: Results) -> Iterator[Row]:
    yield ["", "scenarios", "experiments", "fewest of a scenario"]
    for label, promised in (("with a promise", True), ("without one", False)):
        runs = [one.tally.runs for one in results.values() if one.scenario.promised is promised]
        yield [label, str(len(runs)), f"{sum(runs):,}", f"{min(runs):,}"]


TABLES: dict[str, Callable[[Results], Iterator[Row]]] = {
    "error": _one_look(Kind.ERROR),
    "coverage": _one_look(Kind.COVERAGE),
    "beside": _beside,
    "uniform": _uniform,
    "peeking": _peeking,
    "tracking": _tracking,
    "splits": _splits,
    "harsh": _harsh,
    "harsh-looks": _harsh_looks,
    "progress": _progress,
}
"""What makes each table's rows, the head first, by the name in its mark."""
