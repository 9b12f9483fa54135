"""Published answers come out here, and a wrong method is named."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sortition import stats
from sortition.check import State, published, statistics
from sortition.check.finding import run
from sortition.stats import Counts


def test_all_published_answers_come_out() -> None:
    findings = list(run(statistics.probes()))
    assert [one.detail for one in findings if one.state is not State.OK] == []
    assert sum(int(one.detail.split()[0]) for one in findings) == len(published.ANSWERS)


def test_every_method_is_one_of_the_library() -> None:
    names = {answer.method for answer in published.ANSWERS} - {"cells"}
    assert all(callable(getattr(stats, name)) for name in names)
    assert len(names) >= 15


def test_every_answer_can_fail() -> None:
    """Half of what was published, or one more, is no answer; nor is NaN."""
    for answer in published.ANSWERS:
        wrong = replace(answer, published=answer.published / 2 + 1)
        assert not abs(answer.compute() - wrong.published) <= answer.tolerance, answer


def test_a_wrong_answer_is_named_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    right = stats.fisher_exact
    monkeypatch.setattr(stats, "fisher_exact", lambda *arms: right(*arms) / 2)
    (finding,) = [one for one in run(statistics.probes()) if one.state is not State.OK]
    assert finding.name == "fisher_exact"
    assert "the tea is 0.2428571429, published as 0.4857 (Fisher 1935)" in finding.detail


def test_no_answer_is_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "fisher_exact", lambda control, treatment: math.nan)
    assert math.isnan(stats.fisher_exact(Counts.of(1, 4), Counts.of(3, 4)))
    assert [one.name for one in run(statistics.probes()) if one.state is State.FAILED] == ["fisher_exact"]
