"""What a comparison of revisions says, beside SciPy's signed-rank test and beside what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from compare import report
from verdict import fewest_rounds, judge

ALPHA = 0.05
ROUNDS = 12


def rounds(seed: int, change: float, noise: float = 0.05, number: int = ROUNDS) -> tuple[list[float], list[float]]:
    """Returns times of a machine that is at times three times as slow for both, with noise on each."""
    chance = np.random.default_rng(seed)
    machine = 100 * chance.choice([1.0, 1.5, 3.0], number)
    base = machine * np.exp(noise * chance.standard_t(3, number))
    head = machine * change * np.exp(noise * chance.standard_t(3, number))
    return base.tolist(), head.tolist()


@pytest.mark.parametrize("number", [8, 12, 15])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_interval_holds_what_the_signed_rank_test_does_not_reject(number: int, alpha: float) -> None:
    for seed in range(20):
        base, head = rounds(seed, 1.02, number=number)
        found = judge("bench", base, head, threshold=0.05, alpha=alpha)
        logs = np.log(np.array(head) / np.array(base))

        def p_value(ratio: float, logs: np.ndarray[tuple[int], np.dtype[np.float64]] = logs) -> float:
            return float(stats.wilcoxon(logs - np.log(ratio), method="exact").pvalue)

        inside, beyond = 1 + 1e-9, 1 - 1e-9
        assert p_value(found.lower * inside) > alpha >= p_value(found.lower * beyond)
        assert p_value(found.upper * beyond) > alpha >= p_value(found.upper * inside)
        assert found.lower < found.ratio < found.upper


def test_what_was_planted_is_found_and_the_rest_is_not() -> None:
    for change, word in ((0.8, "faster"), (1.0, "same"), (1.2, "slower")):
        assert judge("bench", *rounds(1, change, 0.004), threshold=0.05, alpha=0.004).word == word
    # Sure, and not worth a word; worth a word, and not sure.
    assert judge("bench", *rounds(1, 1.02, 0.001), threshold=0.05, alpha=0.004).word == "same"
    assert judge("bench", *rounds(1, 1.1, 0.5), threshold=0.05, alpha=0.004).word == "unclear"


def test_nothing_is_called_slower_more_often_than_promised() -> None:
    runs = 1000
    alarms = sum(
        judge("bench", *rounds(seed, 1.0, 0.2), threshold=0.0, alpha=ALPHA).word == "slower" for seed in range(runs)
    )
    # One side of the interval; two hundred times in a million more would be chance.
    assert alarms <= stats.binom.isf(2e-4, runs, ALPHA / 2)
    assert alarms >= stats.binom.ppf(2e-4, runs, 0.01)


def test_too_few_rounds_say_so() -> None:
    needed = fewest_rounds(0.004)
    assert judge("bench", *rounds(0, 1.0, number=needed), threshold=0.05, alpha=0.004).lower > 0
    with pytest.raises(ValueError, match=f"run {needed}"):
        judge("bench", *rounds(0, 1.0, number=needed - 1), threshold=0.05, alpha=0.004)


def test_the_exit_status_says_whether_something_is_slower(capsys: pytest.CaptureFixture[str]) -> None:
    def sides(change: float) -> dict[str, list[float]]:
        base, head = rounds(3, change, 0.01)
        return {"base": base, "head": head}

    assert report({"assign": sides(1.0), "record": sides(1.0)}, ROUNDS, 0.05, "") == 0
    assert report({"assign": sides(1.0), "record": sides(1.3)}, ROUNDS, 0.05, "") == 1
    # A bench that the base lacks is named, and stops nobody.
    assert report({"assign": sides(1.0), "new": {"head": [1.0] * ROUNDS}}, ROUNDS, 0.05, "") == 0
    assert "only in one of the trees: new" in capsys.readouterr().out
    assert report({"record": sides(1.3)}, ROUNDS, 0.05, "assign") == 2
    assert report({"assign": {"base": [1.0] * 3, "head": [1.0] * 3}}, 3, 0.05, "") == 2
