"""What a report says, and what it does not."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sortition.report import compose, html_page, markdown_text, plain_view
from sortition.report.document import Facts, Figure, Paragraph, Section, Table, Tone
from sortition.rpc.v1 import analysis_pb2 as analysis
from sortition.rpc.v1.analysis_pb2 import FullReport
from sortition.rpc.v1.experiment_pb2 import (
    DECISION_POLICY_FIXED_HORIZON as FIXED_HORIZON,
)
from sortition.rpc.v1.experiment_pb2 import (
    DECISION_POLICY_GROUP_SEQUENTIAL as GROUP_SEQUENTIAL,
)
from sortition.rpc.v1.experiment_pb2 import (
    DECISION_POLICY_SEQUENTIAL as SEQUENTIAL,
)
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy
from unit.render.search import STATUS, make_experiment
from unit.report.sample import make_full_report

MINUS = "\N{MINUS SIGN}"


def section(full: FullReport, name: str) -> Section:
    return next(each for each in compose(full).sections if each.name == name)


def tables(found: Section) -> list[Table]:
    blocks = [block.table if isinstance(block, Figure) else block for block in found.blocks]
    return [block for block in blocks if isinstance(block, Table)]


def rows(table: Table) -> list[list[str]]:
    return [[each.text for each in row] for row in table.rows]


def test_sections_come_from_what_decides_to_what_was_declared() -> None:
    names = [each.name for each in compose(make_full_report()).sections]
    assert names == [
        "primary", "guardrails", "others", "days", "spread", "segments", "looks", "split", "quality", "power",
        "registration", "setup",
    ]  # fmt: skip


def test_the_primary_table_has_the_figures_of_the_analysis() -> None:
    found = rows(tables(section(make_full_report(), "primary"))[0])
    assert found[0][:3] == ["sequential (control)", "104", "1.92 s ± 0.04"]
    assert found[1] == [
        "combined", "101", "0.81 s ± 0.02", f"{MINUS}57.8 %", f"[{MINUS}65.6 %, {MINUS}50.0 %]", f"{MINUS}1.11 s",
        f"[{MINUS}1.20, {MINUS}1.02]", "< 0.001", "> 99.9 %", "winner",
    ]  # fmt: skip
    assert found[2][-1] == "better"


def test_only_a_comparison_of_the_primary_means_is_called_the_winner() -> None:
    verdicts = {row[0] + row[1]: row[-1] for row in rows(tables(section(make_full_report(), "others"))[0])}
    assert "winner" not in verdicts.values()
    assert verdicts["total_time p95 (lower is better)combined"] == "better"
    assert verdicts["total_time p50 (lower is better)combined"] == "not known"
    assert verdicts["found_all (higher is better, guardrail)pooled"] == "BROKEN"


@pytest.mark.parametrize(
    ("kind", "word", "tone"),
    [
        ("SHIP", "Ship combined", Tone.GOOD),
        ("NEED_MORE_DATA", "More data needed", Tone.PLAIN),
        ("NOT_SIGNIFICANT", "No significant difference", Tone.PLAIN),
        ("BELOW_MDE", "Smaller than worth shipping", Tone.DOUBT),
        ("REGRESSION", "Regression: stop", Tone.BAD),
        ("INVALID", "Not to be trusted", Tone.BAD),
    ],
)
def test_the_verdict_is_in_words(kind: str, word: str, tone: Tone) -> None:
    full = make_full_report()
    full.report.analysis.recommendation_kind = getattr(analysis, f"RECOMMENDATION_KIND_{kind}")
    verdict = compose(full).verdict
    assert (verdict.word, verdict.tone) == (word, tone)


def test_the_verdict_says_its_words_once_and_what_to_type() -> None:
    verdict = compose(make_full_report()).verdict
    assert verdict.text == f"total_time {MINUS}57.8 % (p < 0.001), guardrail found_all intact."
    assert verdict.command == "sortition promote search-strategy"
    assert verdict.remarks == ("total_time of pooled: 3 values refused",)


def test_a_provisional_result_says_so_before_all_warnings() -> None:
    full = make_full_report()
    result = full.report.analysis
    result.provisional, result.horizon = True, 900
    remark = compose(full).verdict.remarks[0]
    assert remark.startswith("Provisional: 312 of 900 sessions.")
    assert "decide nothing" in remark


def test_a_decision_that_was_reached_names_its_id() -> None:
    full = make_full_report()
    reached = full.report.analysis.reached
    reached.id, reached.units = "d-1", 300
    reached.at.CopyFrom(full.report.analysis.analyzed_at)
    assert "`sortition replay d-1`" in compose(full).verdict.remarks[0]


def test_intervals_say_how_often_one_may_look() -> None:
    said = set()
    for policy in (FIXED_HORIZON, SEQUENTIAL, GROUP_SEQUENTIAL):
        full = make_full_report()
        full.report.analysis.policy = policy
        said.add(section(full, "primary").blocks[0])
    assert len(said) == 3


def test_a_wider_interval_is_drawn_only_where_it_is_another() -> None:
    full = make_full_report()
    assert 'class="outer"' in html_page(compose(full))
    for each in full.report.analysis.comparisons:
        each.always_valid.relative_interval.CopyFrom(each.relative_interval)
    assert 'class="outer"' not in html_page(compose(full))


def test_thresholds_lie_on_the_side_of_the_goal() -> None:
    from sortition.report.content.comparisons import interval_row
    from sortition.report.source import Source

    source = Source(make_full_report())
    combined = source.treatments[0]
    # Less time is better, so the effect worth shipping is negative; a guardrail may fall by its margin.
    assert interval_row(source, combined, "total_time").threshold == -0.05
    assert interval_row(source, combined, "found_all").threshold == pytest.approx(-0.01)
    assert interval_row(source, combined, "total_time", 0.95).threshold is None


def test_rates_are_shown_in_percent() -> None:
    full = make_full_report()
    full.report.analysis.primary_metric = full.series.metric = "found_all"
    for point in full.series.points:
        point.mean = point.cumulative_mean = 0.9
    found = tables(section(full, "days"))
    assert found[1].rows[0][1].text == "90.0 % (30)"
    assert "difference in percentage points" in html_page(compose(full))


def test_segments_say_that_they_never_decide() -> None:
    found = section(make_full_report(), "segments")
    assert "never decide" in found.blocks[0].text  # type: ignore[union-attr]
    table = tables(found)[0]
    assert {row[1].text for row in table.rows} == {"mobile", "desktop", "other"}
    assert len(table.rows) == 12


def test_looks_that_are_to_come_have_no_figures() -> None:
    taken, to_come = rows(tables(section(make_full_report(), "looks"))[0])
    assert taken == ["1", "300", "312", "2023-11-15 00:23 UTC", "50.0 %", "2.960", "0.003", "–"]
    assert to_come == ["2", "600", "–", "to come", "100.0 %", "–", "–", "–"]


def test_columns_with_nothing_in_them_are_left_out() -> None:
    titles = [each.title for each in tables(section(make_full_report(), "others"))[0].columns]
    assert "note" not in titles
    full = make_full_report()
    full.report.analysis.comparisons[2].reason = "too few observations"
    found = tables(section(full, "others"))[0]
    assert found.columns[-1].title == "note"
    assert [row[-1].text for row in found.rows if row[-1].text != "–"] == ["too few observations"]


def test_many_variants_are_in_tables_and_the_winner_is_in_every_plot() -> None:
    full = make_full_report()
    result = full.report.analysis
    for number in range(30):
        result.variants.add(name=f"v{number}", weight=0.01, units=1)
        full.series.points.add(day="2026-03-01", variant=f"v{number}", n=1, mean=1.0)
    result.winner = "v29"
    assert len(tables(section(full, "primary"))[0].rows) == 33
    found = section(full, "days")
    assert len(tables(found)[1].columns) == 34
    assert "8 of 33 variants are drawn" in str(found.blocks[-1])
    assert "v29" in html_page(compose(full)).partition('id="daily-title"')[2].partition("</svg>")[0]


def test_a_draft_has_a_report() -> None:
    experiment = make_experiment()
    experiment.status, experiment.spec.decision.mde = STATUS.EXPERIMENT_STATUS_DRAFT, 0.05
    experiment.ClearField("started_at")
    result = analysis.AnalysisResult(
        experiment="search-strategy", primary_metric="total_time", confidence=0.95, min_samples=300,
        variants=[analysis.VariantSummary(name=each.name, control=each.control) for each in experiment.spec.variants],
        recommendation_kind="RECOMMENDATION_KIND_NEED_MORE_DATA", sample_ratio=analysis.SampleRatio(verdict="unknown"),
    )  # fmt: skip
    full = FullReport(
        report=analysis.ExperimentReport(experiment=experiment, analysis=result),
        distributions=[analysis.Distribution(metric="total_time", reason="there are no outcomes yet")],
        power=analysis.PowerResult(reason="the control has no outcomes yet"),
    )
    document = compose(full)
    for written in (html_page(document), markdown_text(document)):
        assert "There are no outcomes yet" in written
        assert "total_time: there are no outcomes yet" in written
        assert "nan" not in written.lower().replace("finance", "")
    assert compose(FullReport()).title == "", "not even nothing is an error"
    assert html_page(compose(FullReport()))


def test_large_configurations_are_cut_and_say_so() -> None:
    full = make_full_report()
    full.report.experiment.spec.variants[0].config["prompt"] = "x" * 10_000
    code = section(full, "setup").blocks[2]
    assert "more letters" in code.text  # type: ignore[union-attr]
    assert len(code.text) < 5000  # type: ignore[union-attr]


def test_every_writer_says_the_same() -> None:
    document = compose(make_full_report())
    out = io.StringIO()
    Console(file=out, width=400, color_system=None, markup=False).print(plain_view(document))
    markdown = markdown_text(document).replace("\\", "")
    html = html_page(document).replace("&lt;", "<").replace("&gt;", ">")
    seen = 0
    for each in document.sections:
        assert each.title in out.getvalue()
        for table in tables(each):
            assert table.caption in out.getvalue()
            for row in table.rows:
                for cell in row:
                    seen += 1
                    for written in (out.getvalue(), markdown, html):
                        assert cell.text in written
    assert seen > 400


def said_of_registration(full: FullReport) -> dict[str, str]:
    (facts,) = [block for block in section(full, "registration").blocks if isinstance(block, Facts)]
    return {name: each.text for name, each in facts.pairs}


def test_what_was_registered_is_shown_with_peeks_and_deviations() -> None:
    full = make_full_report()
    said = said_of_registration(full)
    assert said["Run"] == "run 2 of 3, after search"
    assert said["Registered by"] == "ada"
    assert said["Hash"] == "5eed" * 16
    assert said["Horizon"] == "none: every look is valid"
    assert said["Peeks"].startswith("12 on 3 days, from ")
    (deviation,) = rows(tables(section(full, "registration"))[0])
    assert deviation[1:] == ["reweight", "bob", "too slow", '{"to": "20 %"}']


@pytest.mark.parametrize(
    ("policy", "early", "says"),
    [
        (SEQUENTIAL, 0, "peeks are harmless"),
        (FIXED_HORIZON, 9, "9 of them showed interim figures, whose p-values inflate the error"),
        (FIXED_HORIZON, 0, "None of them showed interim figures"),
        (GROUP_SEQUENTIAL, 4, "4 of them showed interim figures, which decide nothing"),
    ],
)
def test_what_peeks_do_depends_on_the_policy(policy: DecisionPolicy, early: int, says: str) -> None:
    full = make_full_report()
    experiment = full.report.experiment
    experiment.spec.decision.policy, experiment.registration.peeks.early = policy, early
    experiment.registration.horizon, experiment.registration.looks_planned = 1200, 5
    words = " ".join(block.text for block in section(full, "registration").blocks if isinstance(block, Paragraph))
    assert says in words
    full.report.analysis.provisional = True
    assert "1,200 sessions; looks planned 5, taken" in said_of_registration(full)["Horizon"]


def test_what_an_older_version_started_is_said_to_be_unregistered() -> None:
    full = make_full_report()
    full.report.experiment.ClearField("registration")
    full.report.experiment.ClearField("run")
    (block,) = section(full, "registration").blocks
    assert isinstance(block, Paragraph)
    assert block.text == "Nothing was registered: an older version started the experiment."
    full.report.experiment.ClearField("started_at")
    assert "registration" not in [each.name for each in compose(full).sections]
