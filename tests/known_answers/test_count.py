"""There are enough cases, over all methods."""

from __future__ import annotations

import re
from pathlib import Path

from known_answers import literature, test_engines, test_scipy
from known_answers.ours import OURS
from known_answers.recorded import sheets
from sortition import stats

FEWEST = 300
ROOT = Path(__file__).parents[2]

# What a case asks for by another name.
MEANT = {
    "relative_samples": {"relative_lift"},
    "relative_counts": {"relative_lift"},
    "cohens_d": {"cohens_d", "hedges_g"},
    "group_sequential": {"group_sequential", "obrien_fleming", "pocock", "kim_demets", "hwang_shih_decani"},
    "group_sequential_size": {"needed_error_group_sequential", "power_group_sequential"},
    "sample_size_ratio": {"sample_size_ratio", "power_ratio"},
}
# No engine answers these; the test beside each says what they are held against.
OTHERWISE = {
    "guarded_error": "tests/unit/stats",
    "mde_from_error": "tests/unit/stats",
    "mde_quantile": "tests/unit/stats",
    "mde_ratio": "tests/unit/stats",
    "mde_sequential": "tests/unit/stats",
    "needed_error": "tests/unit/stats",
    "needed_error_sequential": "tests/unit/stats",
    "power_from_error": "tests/unit/stats",
    "power_quantile": "tests/unit/stats",
    "power_sequential": "tests/unit/stats",
    "repeated_interval": "tests/unit/stats",
    "sample_size_group_sequential": "tests/unit/stats",
    "sample_size_sequential": "tests/unit/stats",
}


def names() -> list[str]:
    return [
        *(name for _, name, _ in test_engines.ANSWERS),
        *(case.name for case in literature.CASES),
        *(case.name for case in test_scipy.CASES),
    ]


def test_there_are_enough_cases() -> None:
    assert len(names()) >= FEWEST
    assert len(set(names())) >= FEWEST, "the same figure compared twice counts once"


def test_every_method_has_a_case() -> None:
    asked = {name.partition("/")[0] for name in names()}
    covered = set().union(*(MEANT.get(name, {name}) for name in asked))
    public = {name for name in stats.__all__ if name.islower() and callable(getattr(stats, name))}
    assert len(public) > 40
    assert public - covered == set(OTHERWISE)
    for name, place in OTHERWISE.items():
        tests = (path.read_text() for path in (ROOT / place).glob("test_*.py"))
        assert any(re.search(rf"\b{name}\(", text) for text in tests), f"nothing in {place} calls {name}"


def test_every_question_is_asked() -> None:
    recorded = {name.rpartition("/")[0] for sheet in sheets() for name in sheet.answers}
    assert {name.partition("/")[0] for name in recorded} == set(OURS)


def test_versions_and_licences_are_recorded_and_documented() -> None:
    document = (ROOT / "docs" / "statistics.md").read_text()
    for sheet in sheets():
        assert sheet.version
        assert sheet.licence
        assert f"| {sheet.engine} | {sheet.version} |" in document
