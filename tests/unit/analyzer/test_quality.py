"""The data's quality: each part alone, against figures worked out by hand, and all of them together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analyzer_samples import NOW, TODAY, Outcomes, make_record
from sortition.analyzer.analyze import analyze
from sortition.analyzer.history import History
from sortition.analyzer.quality import ALERT, UNUSABLE, quality_of, quality_warnings
from sortition.analyzer.quality.days import daily_split
from sortition.analyzer.result import QualityPart, ReachedDecision, RecommendationKind, SampleRatio
from sortition.core import Cell
from sortition.lifecycle.decision import data_from_inputs, inputs_of
from sortition.model import ExperimentStatus
from sortition.store.records import ExperimentData, ExperimentRecord

SCORE = {"name": "score", "kind": "continuous", "goal": "maximize", "role": "primary"}
VARIANTS = {"control": 50, "new": 50}
OK = SampleRatio(0.5, "ok")
RECORD = make_record([SCORE], VARIANTS)


def cell(n: int, *, refused: int = 0, clamped: int = 0, late: int = 0) -> Cell:
    made = Cell()
    made.add_many(RECORD.id, [f"unit-{index}" for index in range(n)], [1.0] * n)
    kept = made.parts()
    return Cell.from_parts(*kept[:5], refused, clamped, late, *kept[8:])


def made_of(units: dict[int, tuple[int, int]], outcomes: dict[int, tuple[int, int]] | None = None) -> ExperimentData:
    """Makes data of units and outcomes per day and variant; where none are given every unit has an outcome."""
    days = {day: np.array(counts, dtype=np.int64) for day, counts in units.items()}
    counted = days if outcomes is None else {day: np.array(held, dtype=np.int64) for day, held in outcomes.items()}
    totals = sum(counted.values(), np.zeros(2, dtype=np.int64))
    cells = {(place, 0): cell(int(n)) for place, n in enumerate(totals) if n}
    whole = sum(days.values(), np.zeros(2, dtype=np.int64))
    return ExperimentData(whole, days, cells, {}, outcomes_by_day=counted)


def part(name: str, data: ExperimentData, record: ExperimentRecord = RECORD, ratio: SampleRatio = OK) -> QualityPart:
    return next(one for one in quality_of(record, data, ratio).parts if one.name == name)


def steady(days: int = 10, *, a_day: int = 500) -> dict[int, tuple[int, int]]:
    return {TODAY - days + 1 + day: (a_day, a_day) for day in range(days)}


def test_good_data_scores_one_and_says_nothing() -> None:
    quality = quality_of(RECORD, made_of(steady()), OK)
    assert quality.score == 1
    assert list(quality_warnings(quality)) == []
    assert {one.name for one in quality.parts if math.isnan(one.score)} == {"covariate_balance"}


def test_without_data_nothing_is_judged() -> None:
    empty = Outcomes(RECORD).data()
    quality = quality_of(RECORD, empty, SampleRatio(math.nan, "unknown"))
    assert math.isnan(quality.score)
    assert all(math.isnan(one.score) and one.detail for one in quality.parts)
    assert list(quality_warnings(quality)) == []


@pytest.mark.parametrize(
    ("p", "watched", "score"),
    [(0.3, 0.8, 1.0), (0.01, math.nan, 1.0), (1e-3, 0.5, 2 / 3), (0.4, 1e-4, 1 / 3), (1e-5, 1.0, 0.0), (0.0, 0.0, 0.0)],
)
def test_the_split_counts_by_its_smaller_p_value(p: float, watched: float, score: float) -> None:
    verdict = "red" if p < 1e-3 else "yellow" if p < 0.01 else "ok"
    found = part("split", made_of(steady()), ratio=SampleRatio(p, verdict, watched))
    assert found.score == pytest.approx(score)


def test_a_split_made_elsewhere_is_not_judged() -> None:
    for record, why in (
        (make_record([SCORE], VARIANTS, external=True), "variants are chosen elsewhere"),
        (make_record([SCORE], VARIANTS, allocations=2), "the weights were changed on the way"),
    ):
        for name in ("split", "daily_split"):
            found = part(name, made_of(steady()), record, SampleRatio(math.nan, "unknown"))
            assert (math.isnan(found.score), found.detail) == (True, why)


def test_a_split_that_changes_from_day_to_day_is_noticed_though_the_total_is_even() -> None:
    table = [(600, 500), (500, 600), (550, 550)]
    found = part("daily_split", made_of({TODAY - 2 + day: counts for day, counts in enumerate(table)}))
    p = float(scipy_stats.chi2_contingency(np.array(table), correction=False).pvalue)
    assert 1e-5 < p < 1e-3
    assert found.score == pytest.approx(math.log10(p / 1e-5) / 3)
    assert "not split alike" in found.detail


def test_days_with_few_units_do_not_count_for_the_split() -> None:
    assert part("daily_split", made_of({TODAY - 2: (500, 500), TODAY - 1: (500, 500), TODAY: (9, 0)})).score == 1
    assert math.isnan(part("daily_split", made_of({TODAY - 1: (500, 500), TODAY: (9, 0)})).score)


@pytest.mark.parametrize(("crossed", "score"), [(0, 1.0), (10, 0.9), (50, 0.5), (100, 0.0)])
def test_crossed_units_cost_in_proportion(crossed: int, score: float) -> None:
    data = replace(made_of({TODAY: ((1000 - crossed) // 2,) * 2}), crossed=crossed)
    found = part("crossed_units", data)
    assert found.score == pytest.approx(score)
    if crossed:
        assert f"{crossed} of 1,000 sessions were seen in several variants" in found.detail


def test_missing_outcomes_are_counted_on_days_that_are_over() -> None:
    days = {TODAY - 1: (100, 100), TODAY: (900, 900)}
    assert part("missing_outcomes", made_of(days, {TODAY - 1: (95, 95)})).score == 1
    assert part("missing_outcomes", made_of(days, {TODAY - 1: (65, 65)})).score == pytest.approx(0.5)
    ended = replace(RECORD, status=ExperimentStatus.COMPLETED)
    assert part("missing_outcomes", made_of(days, {TODAY - 1: (65, 65)}), ended).score == 0.5, (
        "never less while variants are alike"
    )


def test_a_variant_that_loses_more_outcomes_is_worse_than_all_losing_as_many() -> None:
    days = {TODAY - 1: (2000, 2000), TODAY: (1, 1)}
    alike = part("missing_outcomes", made_of(days, {TODAY - 1: (1700, 1700)}))
    unequal = part("missing_outcomes", made_of(days, {TODAY - 1: (2000, 1700)}))
    assert alike.score == pytest.approx(0.9)
    assert unequal.score == 0
    assert "at least 300 of 2,000 sessions in new (15 %) lack score, and fewer in other variants" in unequal.detail


def test_variants_that_lose_alike_are_not_told_apart_by_the_newest_day() -> None:
    """Its outcomes are counted while its units may be under way: they differ between variants by chance alone."""
    chance, blamed = np.random.default_rng(7), 0
    for _ in range(200):
        whole, newest = chance.binomial(2000, 0.5), chance.binomial(1500, 0.5)
        days = {TODAY - 1: (whole, 2000 - whole), TODAY: (newest, 1500 - newest)}
        outcomes = {
            day: (chance.binomial(first, 0.55), chance.binomial(other, 0.55)) for day, (first, other) in days.items()
        }
        blamed += "fewer in other variants" in part("missing_outcomes", made_of(days, outcomes)).detail
    assert blamed <= 6, f"{blamed} of 200, where the score is touched from p = 0.01 on"


def test_a_variant_without_any_outcome_is_fatal_and_a_handful_of_units_is_not() -> None:
    assert part("missing_outcomes", made_of({TODAY: (500, 500)}, {TODAY: (500, 0)})).score == 0
    assert math.isnan(part("missing_outcomes", made_of({TODAY: (19, 19)}, {TODAY: (19, 0)})).score)


def test_units_that_repeat_hide_missing_ones_but_invent_none() -> None:
    assert part("missing_outcomes", made_of({TODAY: (500, 500)}, {TODAY: (900, 700)})).score == 1


@pytest.mark.parametrize(
    ("counts", "name", "score", "detail"),
    [
        ({"refused": 50}, "refused_values", (0.2 - 50 / 1050) / 0.19, "50 of 1,050 values of score in new (4.8 %)"),
        ({"refused": 4000}, "refused_values", 0.0, "(80 %) were refused"),
        ({"clamped": 50}, "clamped_values", 1.0, "50 of 1,000 values of score in new (5 %) were moved to a cap"),
        ({"clamped": 275}, "clamped_values", 0.5, "275 of 1,000"),
        ({"late": 1000}, "late_values", 0.5 / 0.9, "1,000 of 2,000 values of score in new (50 %) came too late"),
    ],
)
def test_values_that_did_not_come_in_as_measured(counts: dict[str, int], name: str, score: float, detail: str) -> None:
    data = made_of({TODAY: (1000, 1000)})
    spoiled = replace(data, cells={(0, 0): cell(1000), (1, 0): cell(1000, **counts)})
    found = part(name, spoiled)
    assert found.score == pytest.approx(score)
    assert detail in found.detail
    assert part(name, data).score == 1


def test_a_few_values_are_not_judged() -> None:
    data = replace(made_of({TODAY: (5, 5)}), cells={(1, 0): cell(5, refused=5)})
    assert math.isnan(part("refused_values", data).score)


def covariates(shift: float, *, repeats: int = 1) -> tuple[ExperimentRecord, ExperimentData]:
    record = make_record([{**SCORE, "covariate": "score_before"}], VARIANTS)
    rng = np.random.default_rng(11)
    cells = {}
    for place in range(2):
        made = Cell(covariate=True)
        before = rng.normal(10 + shift * place, 2, 400)
        after = rng.normal(5, 1, 400)
        for index, (x, y) in enumerate(zip(before, after, strict=True)):
            for _ in range(repeats):
                made.add(record.id, f"{place}/{index}", y, covariate=x)
        cells[place, 0] = made
    return record, replace(made_of({TODAY: (400, 400)}), cells=cells)


def test_variants_that_differed_before_are_noticed() -> None:
    record, alike = covariates(0.0)
    assert part("covariate_balance", alike, record).score == 1
    record, unlike = covariates(0.8)
    found = part("covariate_balance", unlike, record)
    assert found.score < 0.7
    assert "score_before (before score) in new differed from the control before exposure" in found.detail


def test_a_unit_that_repeats_is_one_unit_before_as_well() -> None:
    once, often = (
        part("covariate_balance", data, record) for record, data in (covariates(0.8), covariates(0.8, repeats=9))
    )
    assert often.score == pytest.approx(once.score)
    assert once.score < 1


def test_days_are_compared_with_those_before() -> None:
    days = steady()
    quiet = TODAY - 4
    for here, score in ((250, 1.0), (125, 1.0), (31, 0.5), (0, 0.5), (4000, 0.75)):
        found = part("daily_rate", made_of({**days, quiet: (here, here)}))
        expected = max(0.5, min(1.0, (6 - abs(math.log2((2 * here + 0.5) / 1000.5))) / 4))
        assert found.score == pytest.approx(expected)
        assert found.score == pytest.approx(score, abs=0.02)
    assert "sessions: 8,000 on 2026-02-26, after about 1,000 a day" in found.detail


def test_a_day_without_anything_is_a_day() -> None:
    days = steady()
    del days[TODAY - 4]
    assert part("daily_rate", made_of(days)).score == 0.5


def test_the_first_and_the_last_day_are_not_whole() -> None:
    days = steady()
    days[TODAY] = days[min(days)] = (1, 1)
    assert part("daily_rate", made_of(days)).score == 1


def test_one_variant_that_falls_silent_is_noticed() -> None:
    days = steady()
    outcomes = {day: (500, 500 if day < TODAY - 3 else 0) for day in days}
    found = part("daily_rate", made_of(days, outcomes))
    assert found.score == 0.5
    assert "outcomes of score in new: 0 on 2026-02-27, after about 500 a day" in found.detail


def test_a_quiet_day_like_that_of_the_week_before_is_nothing_new() -> None:
    days = steady(12)
    quiet = (10, 10)
    assert part("daily_rate", made_of({**days, TODAY - 2: quiet})).score == 0.5
    assert part("daily_rate", made_of({**days, TODAY - 9: quiet, TODAY - 2: quiet})).score == 1


def test_a_day_needs_three_before_it() -> None:
    assert part("daily_rate", made_of({**steady(6), TODAY - 3: (10, 10)})).score == 1
    assert math.isnan(part("daily_rate", made_of(steady(5))).score)


def test_small_numbers_jump_about_and_mean_nothing() -> None:
    days = {TODAY - 9 + day: ((0, 1, 9, 0, 4, 0, 2, 8, 0, 1)[day],) * 2 for day in range(10)}
    assert math.isnan(part("daily_rate", made_of(days)).score)


def test_the_whole_is_the_product_and_says_what_is_low() -> None:
    data = replace(made_of(steady()), crossed=400)
    quality = quality_of(RECORD, data, SampleRatio(1e-3, "red"))
    crossed = 1 - 10 * 400 / 10_400
    assert quality.score == pytest.approx(crossed * 2 / 3)
    assert UNUSABLE < quality.score < ALERT
    lines = list(quality_warnings(quality))
    assert lines[0].startswith("400 of 10,400 sessions were seen in several variants")
    assert lines[1] == "data quality is 0.41, below 0.7: crossed units, split"


def test_the_share_of_false_alarms_of_even_splits() -> None:
    """10,000 looks at two days of fair coins: the score of the daily split falls below 1 in about 1 % of them."""
    rng = np.random.default_rng(5)
    first, second = rng.binomial(1000, 0.5, (2, 10_000))
    low = 0
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        data = ExperimentData(
            np.zeros(2, dtype=np.int64),
            {TODAY - 1: np.array([a, 1000 - a]), TODAY: np.array([b, 1000 - b])},
            {},
            {},
        )
        low += daily_split(RECORD, data).score < 1
    # Within four binomial standard errors of 1 %.
    assert abs(low - 100) < 40


def outcomes(record: ExperimentRecord, seed: int = 3) -> ExperimentData:
    """Returns a real improvement, which any policy sees."""
    rng = np.random.default_rng(seed)
    found = Outcomes(record)
    for name, mean in (("control", 10.0), ("new", 12.0)):
        units = [f"{name}/{index}" for index in range(500)]
        found.add(name, "score", units, rng.normal(mean, 2, 500).tolist(), day=TODAY - 1)
    return found.data()


def test_nothing_is_decided_from_unusable_data() -> None:
    good = outcomes(RECORD)
    assert analyze(RECORD, good, NOW).recommendation_kind is RecommendationKind.SHIP
    poor = analyze(RECORD, replace(good, crossed=60), NOW)
    assert poor.quality is not None
    assert UNUSABLE < poor.quality.score < ALERT
    assert poor.recommendation_kind is RecommendationKind.SHIP, "somebody should look, and may decide"
    assert any("60 of 1,060 sessions were seen in several variants" in line for line in poor.warnings)
    unusable = analyze(RECORD, replace(good, crossed=100), NOW)
    assert (unusable.recommendation_kind, unusable.winner) == (RecommendationKind.INVALID, "")
    assert unusable.recommendation.startswith("Invalid: the data's quality is 0.09: 100 of 1,100 sessions were seen")


def test_a_decision_that_was_reached_is_held_back_by_unusable_data() -> None:
    good = outcomes(RECORD)
    reached = ReachedDecision("id", NOW, 900, RecommendationKind.SHIP, "new", "Ship new.")
    kept = analyze(RECORD, good, NOW, History(reached=reached))
    assert kept.recommendation_kind is RecommendationKind.SHIP
    held = analyze(RECORD, replace(good, crossed=100), NOW, History(reached=reached))
    assert held.recommendation_kind is RecommendationKind.INVALID
    assert held.recommendation.startswith("Do not ship now: the data's quality is 0.09")


def test_a_stored_decision_keeps_what_its_quality_rests_on() -> None:
    data = replace(outcomes(RECORD), crossed=7)
    again = data_from_inputs(inputs_of(RECORD, data))
    # A figure that is not known is not equal to itself.
    assert repr(quality_of(RECORD, again, OK)) == repr(quality_of(RECORD, data, OK))
    assert again.crossed == 7
    assert {day: counts.tolist() for day, counts in again.outcomes_by_day.items()} == {TODAY - 1: [500, 500]}
