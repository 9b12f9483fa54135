"""The decision at a fixed horizon: every rule alone, and what is said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from analyzer_samples import make_record
from sortition.analyzer.decide import decide
from sortition.analyzer.evidence import Evidence
from sortition.analyzer.result import Comparison, Guardrail, Interval, RecommendationKind, SampleRatio

PRIMARY = {"name": "total_time", "kind": "duration", "goal": "minimize", "role": "primary"}
ARMS = {"sequential": 33, "combined": 33, "pooled": 34}
GOOD = Comparison(
    variant="combined",
    metric="total_time",
    method="welch_t",
    difference=-1.11,
    interval=Interval(-1.2, -1.02),
    relative=-0.578,
    p_value=0.00001,
    p_adjusted=0.00002,
    significant=True,
    improvement=True,
)
FLAT = replace(
    GOOD, variant="pooled", difference=-0.01, relative=-0.005, p_value=0.4, p_adjusted=0.4, significant=False
)
WORSE = replace(GOOD, variant="pooled", difference=0.3, relative=0.156, improvement=False)
OK = SampleRatio(0.5, "ok")


def evidence(
    *primary: Comparison, guardrails: tuple[Guardrail, ...] = (), split: SampleRatio = OK, units: int = 312
) -> Evidence:
    spec = make_record([PRIMARY], ARMS, min_samples=300).spec
    return Evidence(spec, primary, guardrails, split, units)


def guardrail(variant: str = "combined", *, intact: bool = True, known: bool = True) -> Guardrail:
    detail = "is intact" if intact else "is broken: −3.0 %" if known else "is unknown: no outcomes"
    return Guardrail("found_all", variant, intact, detail, unknown=not known)


def test_the_winner_is_shipped_in_the_words_of_the_table() -> None:
    found = decide(evidence(GOOD, FLAT, guardrails=(guardrail(),)))
    assert (found.kind, found.winner) == (RecommendationKind.SHIP, "combined")
    assert found.text == "Ship combined: total_time −57.8 % (p < 0.001), guardrail found_all intact."
    assert decide(evidence(GOOD, FLAT)).text == "Ship combined: total_time −57.8 % (p < 0.001)."


def test_the_best_of_several_wins() -> None:
    second = replace(GOOD, variant="pooled", difference=-0.82, relative=-0.427)
    assert decide(evidence(GOOD, second)).winner == "combined"
    assert decide(evidence(second, GOOD)).winner == "combined"
    up = evidence(replace(GOOD, difference=2.0, relative=0.2), replace(second, difference=3.0, relative=0.3))
    spec = make_record([{**PRIMARY, "goal": "maximize"}], ARMS).spec
    assert decide(replace(up, spec=spec)).winner == "pooled"


def test_a_best_variant_that_breaks_a_guardrail_leaves_the_win_to_the_next() -> None:
    second = replace(GOOD, variant="pooled", difference=-0.82, relative=-0.427)
    states = (guardrail("combined", intact=False), guardrail("pooled"))
    assert decide(evidence(GOOD, second, guardrails=states)).winner == "pooled"


def test_before_the_minimum_sample_nothing_ships() -> None:
    found = decide(evidence(GOOD, FLAT, units=299))
    assert (found.kind, found.winner) == (RecommendationKind.NEED_MORE_DATA, "")
    assert found.text.startswith("Need more data: 299 of 300 sessions. So far, and not to be decided from, combined:")
    assert decide(evidence(GOOD, FLAT, units=300)).winner == "combined"


def test_a_red_split_invalidates_everything() -> None:
    found = decide(evidence(GOOD, FLAT, split=SampleRatio(0.0004, "red")))
    assert (found.kind, found.winner) == (RecommendationKind.INVALID, "")
    assert found.text.startswith("Invalid: units were not split as declared (p < 0.001).")
    for verdict in ("yellow", "unknown"):
        assert decide(evidence(GOOD, FLAT, split=SampleRatio(0.005, verdict))).winner == "combined"


def test_a_broken_guardrail_forbids_shipping() -> None:
    found = decide(evidence(GOOD, FLAT, guardrails=(guardrail(intact=False),)))
    assert (found.kind, found.winner) == (RecommendationKind.REGRESSION, "")
    assert found.text == (
        "Do not ship combined: total_time −57.8 % (p < 0.001), but guardrail found_all is broken: −3.0 %."
    )


def test_a_guardrail_of_another_variant_forbids_nothing() -> None:
    assert (
        decide(evidence(GOOD, FLAT, guardrails=(guardrail("pooled", intact=False), guardrail()))).winner == "combined"
    )


def test_a_guardrail_without_outcomes_is_not_intact() -> None:
    found = decide(evidence(GOOD, FLAT, guardrails=(guardrail(intact=False, known=False),)))
    assert (found.kind, found.winner) == (RecommendationKind.NEED_MORE_DATA, "")
    assert found.text.endswith("but guardrail found_all is unknown: no outcomes.")


def test_a_significantly_worse_variant_never_wins() -> None:
    found = decide(evidence(WORSE))
    assert (found.kind, found.winner) == (RecommendationKind.REGRESSION, "")
    assert found.text == "Stop pooled: total_time +15.6 % (p < 0.001) is a regression."
    beside = decide(evidence(GOOD, WORSE))
    assert beside.winner == "combined"
    assert beside.warnings == ("pooled: total_time +15.6 % (p < 0.001) is worse than sequential.",)


def test_below_the_minimum_effect() -> None:
    small = replace(GOOD, relative=-0.0499, difference=-0.1)
    found = decide(evidence(small, FLAT))
    assert (found.kind, found.winner) == (RecommendationKind.BELOW_MDE, "")
    assert "below the minimum effect of 5 %; consider whether it is worth shipping" in found.text
    assert decide(evidence(replace(small, relative=-0.05), FLAT)).winner == "combined"


def test_an_improvement_on_nothing_has_no_size() -> None:
    found = decide(evidence(replace(GOOD, relative=math.nan, reason="the control is 0"), FLAT))
    assert (found.kind, found.winner) == (RecommendationKind.BELOW_MDE, "")
    assert "of unknown size: the control is 0" in found.text


def test_not_significant() -> None:
    found = decide(evidence(replace(GOOD, significant=False, p_adjusted=0.051), FLAT))
    assert (found.kind, found.winner) == (RecommendationKind.NOT_SIGNIFICANT, "")
    assert found.text == (
        "No significant difference in total_time after 312 sessions (combined: total_time −57.8 % (p = 0.051); "
        "pooled: total_time −0.5 % (p = 0.40)). Continue, or accept that there is none."
    )


@pytest.mark.parametrize("reason", ["the treatment has fewer than 2 observations"])
def test_without_outcomes_there_is_nothing_to_decide(reason: str) -> None:
    empty = Comparison(variant="combined", metric="total_time", method="ratio_delta", reason=reason)
    found = decide(evidence(empty, replace(empty, variant="pooled")))
    assert found.kind is RecommendationKind.NEED_MORE_DATA
    assert reason in found.text


def test_a_difference_without_a_p_value_is_not_taken_for_none() -> None:
    alone = replace(GOOD, significant=False, p_adjusted=math.nan, reason="the treatment has 1 outcome")
    found = decide(evidence(alone, replace(alone, variant="pooled")))
    assert (found.kind, found.winner) == (RecommendationKind.NEED_MORE_DATA, "")
    assert found.text == (
        "Need more data: total_time cannot be compared yet "
        "(combined: the treatment has 1 outcome; pooled: the treatment has 1 outcome)."
    )


def test_harm_is_told_although_the_primary_metric_is_unknown() -> None:
    empty = Comparison(variant="combined", metric="total_time", method="ratio_delta", reason="no outcomes")
    found = decide(evidence(empty, guardrails=(guardrail(intact=False),)))
    assert found.kind is RecommendationKind.REGRESSION
    assert found.text == "Do not ship combined: guardrail found_all is broken: −3.0 %."
