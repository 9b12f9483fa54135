"""Rules of alerts: what a file may say, and that everything that is wrong with it is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer_samples import make_record
from sortition.errors import SpecError
from sortition.model.alert import FALSE_ALERTS, USUAL, Rule, Rules, Severity, Trigger, about, load_rules, usual_rules

METRICS = [
    {"name": "ok", "kind": "binary", "goal": "maximize", "role": "primary"},
    {"name": "latency", "kind": "duration", "goal": "minimize", "role": "guardrail"},
    {"name": "user_satisfaction", "kind": "continuous", "goal": "maximize"},
    {"name": "bytes", "kind": "continuous", "goal": "minimize"},
]
SPEC = make_record(METRICS, {"a": 40, "b": 30, "c": 30}).spec


def load(tmp_path: Path, text: str, name: str = "rules.toml") -> Rules:
    path = tmp_path / name
    path.write_text(text)
    return load_rules(path)


def test_every_trigger_has_a_usual_rule() -> None:
    assert {rule.trigger for rule in USUAL} == set(Trigger)
    assert len({rule.name for rule in USUAL}) == len(USUAL)


def test_the_usual_thresholds_are_those_that_are_promised() -> None:
    limits = {rule.trigger: rule.limit for rule in USUAL}
    assert limits[Trigger.DATA_QUALITY] == 0.7
    assert limits[Trigger.ERROR_RATE] == 2.0
    assert limits[Trigger.SATISFACTION] == 0.5
    # The experiment's own: 10 % where it says nothing.
    assert limits[Trigger.REGRESSION] is None
    assert SPEC.decision.max_regression == 0.1


def test_a_file_adds_changes_and_takes_away(tmp_path: Path) -> None:
    rules = load(
        tmp_path,
        """
        [rules.data-quality]
        severity = "critical"
        [rules.anomalous-day]
        enabled = false
        [rules.slow]
        trigger = "regression"
        threshold = 0.05
        metrics = ["lat*"]
        experiments = ["sea*"]
        hold_s = 600
        """,
    )
    quality, slow = rules.named("data-quality"), rules.named("slow")
    assert quality is not None
    assert (quality.severity, quality.limit, quality.hold_s) == (Severity.CRITICAL, 0.7, 900)
    assert slow is not None
    assert slow.metrics_of(SPEC) == (1,)
    assert slow.is_about(SPEC)
    assert "anomalous-day" not in {rule.name for rule in rules.enabled}
    assert len(rules.enabled) == len(USUAL)


def test_yaml_says_the_same(tmp_path: Path) -> None:
    toml = load(tmp_path, '[rules.slow]\ntrigger = "regression"\nthreshold = 0.05\nmetrics = ["lat*"]\n')
    yaml = load(tmp_path, "rules:\n  slow: {trigger: regression, threshold: 0.05, metrics: [lat*]}\n", "rules.yaml")
    assert toml == yaml


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        load(
            tmp_path,
            """
            false_alerts = 2
            [rules.slow]
            trigger = "regression"
            threshold = 50
            [rules.odd]
            trigger = "moon"
            [rules.long]
            trigger = "duration"
            metrics = ["ok"]
            severity = "loud"
            hold_s = -1
            colour = "red"
            name = "other"
            """,
        )
    found = {violation.field: violation.description for violation in refused.value.violations}
    assert set(found) == {
        *("false_alerts", "rules.slow.threshold", "rules.odd.trigger", "rules.long.name"),
        *("rules.long.severity", "rules.long.hold_s", "rules.long.colour"),
    }
    assert "at most 10, but is 50" in found["rules.slow.threshold"]
    assert "early_significance" in found["rules.odd.trigger"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("rules = 3", "a.toml"), ("[rules]\nslow = 3", "a.toml"), ("= nonsense", "a.toml"), ("- 1", "a.yaml"), ("", "no")],
)
def test_what_holds_no_rules_is_refused(tmp_path: Path, text: str, name: str) -> None:
    if name == "no":
        with pytest.raises(SpecError, match="holds no rules"):
            load_rules(tmp_path / "absent.toml")
        return
    with pytest.raises(SpecError):
        load(tmp_path, text, name)


@pytest.mark.parametrize("trigger", [one for one in Trigger if not about(one).threshold])
def test_a_threshold_without_a_meaning_is_refused(trigger: Trigger) -> None:
    with pytest.raises(ValueError, match="has no meaning"):
        Rule(name="x", trigger=trigger, threshold=0.5)


def test_metrics_are_told_by_what_they_are() -> None:
    by_trigger = {rule.trigger: rule.metrics_of(SPEC) for rule in USUAL}
    assert by_trigger[Trigger.EARLY_SIGNIFICANCE] == (0,)
    assert by_trigger[Trigger.ERROR_RATE] == (0,)
    assert by_trigger[Trigger.SATISFACTION] == (2,)
    assert by_trigger[Trigger.REGRESSION] == (0, 1)
    assert by_trigger[Trigger.DURATION] == ()
    # A rule that names a metric of another kind looks at nothing, rather than at nonsense.
    assert Rule(name="x", trigger=Trigger.ERROR_RATE, metrics=("bytes",)).metrics_of(SPEC) == ()


def test_all_questions_share_one_chance_of_false_alerts() -> None:
    rules = usual_rules()
    # Primary, errors, regression of two, anomalies of two: 6 x 2 treatments; satisfaction in 3 variants; the split.
    assert sum(rule.questions(SPEC) for rule in rules.enabled) == 16
    assert rules.level(SPEC) == pytest.approx(FALSE_ALERTS / 16)


def test_the_documentation_has_every_usual_rule_as_it_is() -> None:
    text = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    told = {row[0].strip("`"): row for row in rows if len(row) == 5}
    assert set(told) == {rule.name for rule in USUAL}
    for rule in USUAL:
        assert told[rule.name][1] == rule.severity
        if rule.limit is not None:
            assert told[rule.name][3] == f"{rule.limit:g}"
    assert all(f"`{trigger}`" in text for trigger in Trigger)


def test_the_example_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
    example = text[text.index("    false_alerts") : text.index("Triggers: ")]
    rules = load(tmp_path, "\n".join(line.removeprefix("    ") for line in example.splitlines()))
    slow = rules.named("slow-checkout")
    assert slow is not None
    assert (slow.threshold, slow.hold_s, slow.resolve_s) == (0.05, 600, 1800)
