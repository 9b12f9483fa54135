"""The demo's agent finds what is there, by every strategy, and its examiner would notice if not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sortition.demo.run import EXPERIMENT_FILE
from sortition.demo.search import Hit, search
from sortition.demo.truth import Exam, compile_exam
from sortition.model.file import load_experiment

FIRST = '''\
"""def quoted(): is inside a text, at the beginning of no line."""
def alpha(): ...
# def beta(): is a comment
class Beta:
    async def alpha(self): ...
    def alphabet(self): ...
'''
SECOND = "x = 1\nasync  def\tgamma (): ...\nclass alpha: ...\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = []
    for name, text in (("first.py", FIRST), ("second.py", SECOND)):
        (tmp_path / name).write_text(text)
        made.append(tmp_path / name)
    return made


STRATEGIES = [("sequential", 1), ("combined", 1), ("pooled", 2), ("pooled", 3)]


@pytest.mark.parametrize(("strategy", "workers"), STRATEGIES)
def test_every_strategy_finds_every_definition(files: list[Path], strategy: str, workers: int) -> None:
    answer = search(files, ["alpha", "Beta", "gamma", "beta"], strategy=strategy, workers=workers)
    assert answer.hits == {
        Hit("alpha", "first.py", 2),
        Hit("Beta", "first.py", 4),
        Hit("alpha", "first.py", 5),
        Hit("gamma", "second.py", 2),
        Hit("alpha", "second.py", 3),
    }
    passes = 4 if strategy == "sequential" else 1
    assert answer.bytes_read == passes * sum(file.stat().st_size for file in files)


def test_an_unknown_strategy_is_refused(files: list[Path]) -> None:
    with pytest.raises(ValueError, match="'guess'"):
        search(files, ["alpha"], strategy="guess")


def test_the_experiment_uses_the_strategies_that_exist(files: list[Path]) -> None:
    spec = load_experiment(EXPERIMENT_FILE)
    assert [variant.name for variant in spec.variants] == ["sequential", "combined", "pooled"]
    for variant in spec.variants:
        assert search(files, ["gamma"], **variant.config).hits == {Hit("gamma", "second.py", 2)}
    assert [int(variant.weight) for variant in spec.variants] == [33, 33, 34]


def test_the_examiner_notices_what_is_missing() -> None:
    places = {"a": frozenset({Hit("a", "x.py", 1), Hit("a", "y.py", 2)}), "b": frozenset({Hit("b", "x.py", 3)})}
    exam = Exam([], places)
    everything = {hit for hits in places.values() for hit in hits}
    assert exam.passed(["a", "b"], everything)
    for missing in everything:
        assert not exam.passed(["a", "b"], everything - {missing})
    # More than there is to find is no failure: text may look like a definition.
    assert exam.passed(["b"], everything)


def test_the_examiner_reads_the_real_files() -> None:
    exam = compile_exam()
    assert len(exam.files) >= 10
    assert sum(file.stat().st_size for file in exam.files) <= 500_000
    assert len(exam.places) >= 100
    # A known place, checked by eye in the text itself: the line says what the examiner says.
    for hits in list(exam.places.values())[:50]:
        for hit in hits:
            (file,) = [each for each in exam.files if each.name == hit.file]
            assert hit.name in file.read_text().splitlines()[hit.line - 1]


def test_an_exam_is_the_same_for_every_agent(tmp_path: Path) -> None:
    exam = compile_exam()
    exam.save(tmp_path / "exam.json")
    assert Exam.load(tmp_path / "exam.json") == exam
    first, second = exam.queries(0), exam.queries(1)
    assert first == exam.queries(0)
    assert [len(query) for query in first] == [6, 6, 6]
    assert not {name for query in first for name in query} & {name for query in second for name in query}
    # There is always a next session.
    assert [len(query) for query in exam.queries(10_000)] == [6, 6, 6]
